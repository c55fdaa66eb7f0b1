from datetime import timedelta

import pytest


def progressing(box):
    condition = box.condition("Progressing")
    return condition["status"], condition["reason"]


def test_a_complete_rollout_says_so_and_counts_its_pods(world):
    box = world()
    box.settle()
    status = box.deployment["status"]
    assert progressing(box) == ("True", "NewReplicaSetAvailable")
    assert box.condition("Available")["status"] == "True"
    assert status["observedGeneration"] == 1
    assert [status[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")] == [3] * 4
    assert status["unavailableReplicas"] == 0


@pytest.mark.parametrize("deadline", [5, 60])
def test_a_rollout_without_progress_exceeds_its_deadline(world, deadline):
    box = world(progressDeadlineSeconds=deadline)
    box.settle()
    box.release("app:broken")
    box.settle(ready=lambda pod: False)
    box.now += timedelta(seconds=deadline)
    box.step()
    assert progressing(box) == ("False", "ProgressDeadlineExceeded")
    assert box.condition("Available")["status"] == "True"


def test_every_ready_pod_renews_the_deadline(world):
    box = world(progressDeadlineSeconds=10)
    box.step()
    for name in list(box.pods):
        box.now += timedelta(seconds=8)
        box.make_ready(name)
        box.step()
        assert progressing(box)[0] == "True"


def test_a_new_release_after_an_exceeded_deadline_starts_afresh(world):
    box = world(progressDeadlineSeconds=5)
    box.settle()
    box.release("app:broken")
    box.settle(ready=lambda pod: False)
    box.now += timedelta(seconds=5)
    box.step()
    box.release("app:v3")
    box.settle()
    assert progressing(box) == ("True", "NewReplicaSetAvailable")


def test_a_complete_rollout_is_not_late_when_a_pod_fails_afterwards(world):
    box = world(progressDeadlineSeconds=5)
    box.settle()
    next(iter(box.pods.values()))["status"]["conditions"][0]["status"] = "False"
    box.now += timedelta(seconds=60)
    box.step()
    assert progressing(box) == ("True", "NewReplicaSetAvailable")
    assert box.condition("Available")["status"] == "False"


def test_pausing_and_resuming_are_told(world):
    box = world()
    box.settle()
    box.change(paused=True)
    box.step()
    assert progressing(box) == ("Unknown", "DeploymentPaused")
    box.change(paused=False)
    box.step()
    assert progressing(box) == ("Unknown", "DeploymentResumed")


def test_a_condition_keeps_the_time_of_its_last_turn(world):
    box = world()
    box.settle()
    before = box.condition("Available")
    box.release("app:v2")
    box.settle()
    assert box.condition("Available") == before


def test_a_foreign_condition_stays(world):
    box = world()
    foreign = {"type": "Checked", "status": "True", "reason": "R", "message": ""}
    box.deployment["status"] = {"conditions": [foreign]}
    box.settle()
    assert foreign in box.deployment["status"]["conditions"]
