import pytest

from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.intake import Intent, Seen, assess, before_next
from canary_analyzer.rollout.phases import Phase


def seen(image, template="t1", request=None, revision=""):
    return Seen(image=image, request=request, template=template, revision=revision)


WATCHED = {
    # before, now -> intent
    "no trigger": (seen(None), seen(None), Intent.NOTHING),
    "annotated": (seen(None), seen("app:v2"), Intent.START),
    "annotated anew": (seen("app:v2"), seen("app:v3"), Intent.START),
    "still there": (seen("app:v2"), seen("app:v2"), Intent.START),
    "came with another template": (seen(None, "t2"), seen("app:v2", "t1"), Intent.ECHO),
    "the template changes while it stands": (seen("app:v2", "t2"), seen("app:v2", "t1"), Intent.START),
    "stamped wish with another template": (seen(None, "t2"), seen("app:v2", "t1", "stamp"), Intent.START),
}


@pytest.mark.parametrize(("before", "now", "intent"), WATCHED.values(), ids=WATCHED)
def test_of_a_deployment_that_was_watched(before, now, intent):
    assert assess(before, now, ended=[]) is intent


UNWATCHED = {
    # phase of the last run, its trigger, its template before -> intent for app:v2 on template t1
    "undo of what was promoted": (Phase.SUCCEEDED, "app:v2", "t1", Intent.ECHO),
    "again after an abort": (Phase.ABORTED, "app:v2", "t1", Intent.START),
    "another image after a promotion": (Phase.SUCCEEDED, "app:v1", "t1", Intent.START),
    "the same image on another template": (Phase.SUCCEEDED, "app:v2", "t0", Intent.START),
}


@pytest.mark.parametrize(("phase", "trigger", "template", "intent"), UNWATCHED.values(), ids=UNWATCHED)
def test_of_a_deployment_that_nobody_watched(make, phase, trigger, template, intent):
    last = make.run(phase=phase, trigger=trigger, stable_template=template)
    assert assess(None, seen("app:v2"), [last]) is intent


CONSUMED_BY_AN_ABORTED_RUN = {
    # revision at the end of each run of app:v2, revision now -> intent for app:v2
    "undone: the template has changed and changed back since": (["1"], "3", Intent.ECHO),
    "asked for again": (["1"], "1", Intent.START),
    "asked for again, on a template that an earlier one has not seen": (["1", "3"], "3", Intent.START),
    "the record is older than revisions in it": ([""], "3", Intent.START),
}


@pytest.mark.parametrize(
    ("ended", "now", "intent"), CONSUMED_BY_AN_ABORTED_RUN.values(), ids=CONSUMED_BY_AN_ABORTED_RUN
)
def test_a_trigger_that_an_aborted_run_has_consumed_is_no_wish_once_the_template_has_changed(make, ended, now, intent):
    runs = [make.run(phase=Phase.ABORTED, trigger="app:v2", stable_template="t1", revision=each) for each in ended]
    assert assess(None, seen("app:v2", revision=now), runs) is intent


AFTER_A_RUN = {
    # phase of a run of app:v2 on template t1, and what sent it back -> intent for app:v3 on template t2
    "an undo has brought both": (Phase.ABORTING, Cause.WITHDRAWN, Intent.ECHO),
    "the template had changed while the trigger stood": (Phase.ABORTING, Cause.STABLE_CHANGED, Intent.START),
    "the template is the promoted one": (Phase.PROMOTING, None, Intent.START),
}


@pytest.mark.parametrize(("phase", "cause", "intent"), AFTER_A_RUN.values(), ids=AFTER_A_RUN)
def test_of_a_deployment_whose_run_has_just_ended(make, phase, cause, intent):
    run = make.run(phase=phase, cause=cause, trigger="app:v2", stable_template="t1")
    assert assess(before_next(run), seen("app:v3", "t2"), [run]) is intent


def test_a_stamp_that_was_consumed_is_an_echo_and_a_new_one_is_a_wish(make):
    last = make.run(phase=Phase.ABORTED, request="monday")
    assert assess(None, seen("app:v2", request="monday"), [last]) is Intent.ECHO
    assert assess(None, seen("app:v2", request="tuesday"), [last]) is Intent.START
