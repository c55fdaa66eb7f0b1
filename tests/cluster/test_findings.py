"""What is kept of a canary's pods, read from the API emulator; logs come from what stands in for a node."""

import pytest

from canary_analyzer.cluster import findings
from canary_analyzer.cluster.client import EVENTS, PODS
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(
            {"name": "app", "ready": True, "state": {"running": {"startedAt": "2026-09-21T14:00:00Z"}}},
            "running since 2026-09-21T14:00:00Z",
            id="well",
        ),
        pytest.param(
            {
                "name": "app",
                "ready": False,
                "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
            },
            "waiting, not ready: ErrImagePull: no such image",
            id="no image",
        ),
        pytest.param(
            {
                "name": "app",
                "ready": False,
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {
                    "terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-09-21T14:00:09Z"}
                },
            },
            "waiting, not ready: CrashLoopBackOff\nrestarted 3 times\n"
            "ended before with exit code 137 at 2026-09-21T14:00:09Z: OOMKilled",
            id="out of memory again and again",
        ),
        pytest.param({"name": "app", "ready": False}, "unknown, not ready", id="nothing known"),
    ],
)
def test_the_state_of_a_container_in_words(status, said):
    assert findings.state(status) == said


def test_a_pod_that_finds_no_place_says_so():
    wait = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: no memory"}
    assert findings.condition({"status": {"conditions": [wait]}}) == "PodScheduled: Unschedulable: 0/3 nodes: no memory"


@pytest.fixture
def pods(cluster):
    """Make canary pods that are in such states."""

    def made(*statuses):
        for number, status in enumerate(statuses):
            name = f"app-canary-{number}"
            owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-canary-5d", "uid": "u"}
            labels = {"app": "app", "track": "canary"}
            metadata = {"name": name, "namespace": "default", "labels": labels, "ownerReferences": [owner]}
            spec = {"containers": [{"name": "app", "image": "app:v2"}]}
            cluster.create(PODS, {"metadata": metadata, "spec": spec})
            cluster.merge(PODS, "default", f"{name}/status", {"status": {"containerStatuses": [status]}})

    return made


WELL = {"name": "app", "image": "", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}
ILL = WELL | {"ready": False, "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}


def about(found):
    return [each.about for each in found]


def test_the_pods_in_trouble_come_first_and_three_are_enough(cluster, pods, make):
    pods(WELL, WELL, WELL, ILL, ILL)
    run = make.run(phase=Phase.ABORTING, cause=Cause.CANARY_BROKEN)
    found = findings.inspect(cluster, run, 5.0, read_logs=False)
    assert about(found) == [f"Pod app-canary-{number}, container app" for number in (3, 4, 0)]


def test_of_a_run_that_is_promoted_only_what_was_in_trouble_is_kept(cluster, pods, make):
    pods(WELL, ILL)
    found = findings.inspect(cluster, make.run(phase=Phase.PROMOTING), 5.0, read_logs=False)
    assert about(found) == ["Pod app-canary-1, container app"]


def test_warning_events_of_the_pod_are_kept_and_no_others(cluster, pods, make):
    pods(ILL)
    for name, kind, pod in (
        ("a", "Warning", "app-canary-0"),
        ("b", "Normal", "app-canary-0"),
        ("c", "Warning", "other"),
    ):
        event = {
            "metadata": {"name": name, "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": pod, "namespace": "default"},
            "type": kind,
            "reason": f"Reason-{name}",
            "message": "\x1b[31mred\x1b[0m",
            "count": 4,
            "lastTimestamp": "2026-09-21T14:00:00Z",
        }
        cluster.create(EVENTS, event)
    run = make.run(phase=Phase.ABORTING, cause=Cause.CANARY_BROKEN)
    found = findings.inspect(cluster, run, 5.0, read_logs=False)
    assert found[0].text == "2026-09-21T14:00:00Z (4 times): Reason-a: \ufffd[31mred\ufffd[0m"


def test_a_log_that_cannot_be_read_says_so_in_its_place_and_only_where_logs_are_wanted(cluster, pods, make):
    pods(WELL)
    run = make.run(phase=Phase.ABORTING, cause=Cause.JUDGED_WORSE)
    (state, log) = findings.inspect(cluster, run, 5.0, read_logs=True)
    assert (state.text, log.about) == ("running", "Pod app-canary-0, container app, last log lines")
    assert log.text.startswith("could not be read: ")
    assert len(findings.inspect(cluster, run, 5.0, read_logs=False)) == 1
