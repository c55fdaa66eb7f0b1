from copy import deepcopy

import pytest

from canary_analyzer.rollout.actions import RollStable
from canary_analyzer.rollout.rolling_spec import MARK, batches, bounds, is_marked, objections, released, rolling, shaped

OLD, NEW = {"app": "app:v1"}, {"app": "app:v2"}
ROLLED = RollStable(images=NEW, instead_of=OLD, paced=True)
UNDONE = RollStable(images=OLD, instead_of=NEW)


def deployment(**spec):
    template = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": "app:v1"}]}}
    whole = {"replicas": 4, "strategy": {"type": "RollingUpdate"}, "template": template, **spec}
    return {"metadata": {"name": "app", "namespace": "default"}, "spec": whole}


@pytest.mark.parametrize("found", [{}, {"minReadySeconds": 0}, {"minReadySeconds": 5}, {"minReadySeconds": 90}])
def test_a_run_that_is_undone_leaves_the_deployment_byte_for_byte_as_it_was(found):
    before = deployment(**found)
    memory = rolling(before, 60)
    rolled = shaped(before, ROLLED, memory)
    assert rolled["spec"]["template"]["spec"]["containers"][0]["image"] == "app:v2"
    assert rolled["spec"]["minReadySeconds"] == max(60, found.get("minReadySeconds", 0))
    held = shaped(rolled, RollStable(paced=True, paused=True), memory)
    assert held["spec"]["paused"] is True
    assert shaped(held, UNDONE, memory) == before


def test_a_run_that_succeeded_leaves_nothing_but_the_new_image():
    before = deployment(minReadySeconds=5)
    memory = rolling(before, 60)
    after = shaped(shaped(before, ROLLED, memory), RollStable(), memory)
    expected = deepcopy(before)
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = "app:v2"
    assert after == expected


def test_what_somebody_else_has_set_in_the_meantime_stays():
    before = deployment()
    memory = rolling(before, 60)
    theirs = shaped(before, ROLLED, memory)
    theirs["spec"]["template"]["spec"]["containers"][0]["image"] = "app:v3"
    theirs["spec"]["minReadySeconds"] = 17
    undone = shaped(theirs, UNDONE, memory)
    assert undone["spec"] == theirs["spec"]
    assert not is_marked(undone)


@pytest.mark.parametrize("found", [{}, {"minReadySeconds": 5}])
@pytest.mark.parametrize("paused", [False, True])
def test_a_deployment_itself_says_what_it_was_where_the_record_is_lost(found, paused):
    before = deployment(**found)
    memory = rolling(before, 60)
    held = shaped(shaped(before, ROLLED, memory), RollStable(paced=True, paused=paused), memory)
    assert released(held)["spec"] == {**before["spec"], "template": held["spec"]["template"]}
    assert not is_marked(released(held))


@pytest.mark.parametrize("found", [{}, {"minReadySeconds": 5}])
@pytest.mark.parametrize("pace", [60, 30], ids=["the same pace", "another pace"])
def test_the_next_run_takes_what_a_lost_one_has_left_for_nobody_s_wish(found, pace):
    before = deployment(**found)
    left = shaped(before, ROLLED, rolling(before, 60))
    memory = rolling(left, pace)
    rolled = shaped(left, RollStable(images={"app": "app:v3"}, instead_of=NEW, paced=True), memory)
    assert rolled["spec"]["minReadySeconds"] == pace
    ended = shaped(rolled, RollStable(), memory)
    assert ended["spec"] == {**before["spec"], "template": rolled["spec"]["template"]}
    assert not is_marked(ended)


@pytest.mark.parametrize("mark", ["[", "[]", '{"was": "abc", "set": 60}'])
def test_a_mark_that_somebody_has_garbled_says_nothing(mark):
    garbled = deployment(minReadySeconds=60)
    garbled["metadata"]["annotations"] = {MARK: mark}
    assert rolling(garbled, 60).found_seconds == 60


def test_a_pause_by_somebody_else_stays_where_the_record_is_lost():
    memory = rolling(deployment(), 60)
    theirs = shaped(deployment(), ROLLED, memory)
    theirs["spec"]["paused"] = True
    held = shaped(theirs, RollStable(paced=True, paused=True), memory)
    assert released(held)["spec"]["paused"] is True


def test_a_shape_that_is_there_already_changes_nothing():
    memory = rolling(deployment(), 60)
    rolled = shaped(deployment(), ROLLED, memory)
    assert shaped(rolled, ROLLED, memory) == rolled


BOUNDS = {
    # replicas, maxSurge, maxUnavailable -> pods above, pods below, batches
    "Kubernetes' defaults": (4, None, None, (1, 1), 2),
    "percentages of a small Deployment": (2, "25%", "25%", (1, 0), 2),
    "one pod": (1, "25%", "25%", (1, 0), 1),
    "numbers": (6, 2, 1, (2, 1), 2),
    "both rounded to nothing": (3, "0%", "25%", (0, 1), 3),
    "all at once": (5, "100%", 0, (5, 0), 1),
}


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "pods", "rounds"), BOUNDS.values(), ids=BOUNDS)
def test_max_surge_and_max_unavailable_are_read_as_kubernetes_does(replicas, surge, unavailable, pods, rounds):
    given = {"maxSurge": surge, "maxUnavailable": unavailable} if surge is not None else {}
    spec = deployment(replicas=replicas, strategy={"type": "RollingUpdate", "rollingUpdate": given})["spec"]
    assert bounds(spec) == pods
    assert batches(spec) == rounds


OBJECTIONS = {
    # spec, pace, deadline -> parts of each sentence
    "fits": ({}, 60, 3600, []),
    "no pace": ({}, 0, 3600, []),
    "no old pod would be left": (
        {"replicas": 1, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
        60,
        3600,
        ["all old pods go before a new one serves"],
    ),
    "slower than Kubernetes' patience": ({}, 600, 3600, ["must be less than progressDeadlineSeconds of app, 600"]),
    "slower than the deadline": (
        {"replicas": 100, "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}},
        60,
        3600,
        ["rolls out in 100 batches, 6000 s in all, but deadline_seconds is 3600"],
    ),
    "several at once": (
        {"replicas": 100, "progressDeadlineSeconds": 30},
        60,
        100,
        ["must be less than progressDeadlineSeconds of app, 30", "but deadline_seconds is 100"],
    ),
}


@pytest.mark.parametrize(("spec", "pace", "deadline", "told"), OBJECTIONS.values(), ids=OBJECTIONS)
def test_what_cannot_be_watched_is_refused_with_every_reason(spec, pace, deadline, told):
    found = objections(deployment(**spec), pace, deadline)
    assert len(found) == len(told)
    for sentence, part in zip(found, told, strict=True):
        assert part in sentence
