import pytest

from canary_analyzer.rollout.intake import Intent, Seen, assess
from canary_analyzer.rollout.phases import Phase


def seen(image, template="t1", request=None):
    return Seen(image=image, request=request, template=template)


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


def test_a_stamp_that_was_consumed_is_an_echo_and_a_new_one_is_a_wish(make):
    last = make.run(phase=Phase.ABORTED, request="monday")
    assert assess(None, seen("app:v2", request="monday"), [last]) is Intent.ECHO
    assert assess(None, seen("app:v2", request="tuesday"), [last]) is Intent.START
