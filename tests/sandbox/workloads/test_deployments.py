import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canary_analyzer.sandbox.client import REPLICASETS
from canary_analyzer.sandbox.workloads import deployments, templates
from canary_analyzer.sandbox.workloads.objects import terminating
from canary_analyzer.sandbox.workloads.pods import active, ready_since
from canary_analyzer.sandbox.workloads.view import bounds
from canary_analyzer.sandbox.workloads.writes import Create

BOUND = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda share: f"{share}%"))


def rolling(surge, unavailable):
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


@pytest.mark.parametrize(
    ("strategy", "replicas", "expected"),
    [
        pytest.param({}, 3, (1, 0), id="defaults: 25 % rounded up, 25 % rounded down"),
        pytest.param(rolling("50%", "50%"), 5, (3, 2), id="surge rounds up, unavailable down"),
        pytest.param(rolling(0, "10%"), 3, (0, 1), id="both zero would never move"),
        pytest.param(rolling(2, 0), 3, (2, 0), id="numbers as they are"),
        pytest.param(rolling(1, 9), 3, (1, 3), id="no more can be missing than there are"),
        pytest.param({"type": "Recreate"}, 3, (0, 3), id="recreate"),
    ],
)
def test_bounds_of_a_rolling_update(deployment, strategy, replicas, expected):
    assert bounds(deployment(replicas=replicas, strategy=strategy)) == expected


def test_a_new_deployment_gets_one_replicaset_with_hash_revision_and_copied_annotations(world):
    box = world()
    box.deployment["metadata"]["annotations"] = {"team": "a", templates.LAST_APPLIED: "{}"}
    box.settle()
    (replicaset,) = box.replicasets.values()
    annotations = replicaset["metadata"]["annotations"]
    digest = replicaset["metadata"]["labels"][templates.HASH_LABEL]
    assert replicaset["metadata"]["name"] == f"app-{digest}"
    assert replicaset["spec"]["selector"]["matchLabels"] == {"app": "app", templates.HASH_LABEL: digest}
    assert annotations["team"] == "a"
    assert templates.LAST_APPLIED not in annotations
    assert annotations[templates.REVISION] == box.deployment["metadata"]["annotations"][templates.REVISION] == "1"
    assert [pod["metadata"]["labels"][templates.HASH_LABEL] for pod in box.pods.values()] == [digest] * 3


def test_nothing_is_written_when_nothing_has_changed(world):
    box = world()
    box.settle()
    assert box.step() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), replicas=st.integers(0, 7), surge=BOUND, unavailable=BOUND)
def test_a_rolling_update_never_has_too_few_or_too_many_pods_and_always_ends(world, data, replicas, surge, unavailable):
    box = world(replicas=replicas, strategy=rolling(surge, unavailable))
    box.settle()
    box.release("app:v2")
    most, fewest = bounds(box.deployment)
    for _ in range(400):
        if box.sizes in ({"app:v2": replicas}, {}) and not box.step():
            break
        box.step()
        pods = [pod for pod in box.pods.values() if active(pod)]
        assert len(pods) <= replicas + most
        assert sum(ready_since(pod) is not None for pod in pods) >= replicas - fewest
        candidates = [name for name, pod in box.pods.items() if terminating(pod) or "status" not in pod]
        if candidates:
            name = data.draw(st.sampled_from(candidates))
            (box.remove if terminating(box.pods[name]) else box.make_ready)(name)
    else:
        raise AssertionError("the rollout does not end")
    assert box.sizes == ({"app:v2": replicas} if replicas else {})


def test_pods_that_do_not_become_ready_stop_a_rollout_before_old_ones_go(world):
    box = world()
    box.settle()
    box.release("app:broken")
    box.settle(ready=lambda pod: False)
    assert box.sizes == {"app:v1": 3, "app:broken": 1}


def test_a_broken_release_is_replaced_by_the_next_one(world):
    box = world()
    box.settle()
    box.release("app:broken")
    box.settle(ready=lambda pod: False)
    box.release("app:v3")
    box.settle(ready=lambda pod: pod["spec"]["containers"][0]["image"] == "app:v3")
    assert box.sizes == {"app:v3": 3}


def test_recreate_waits_until_the_last_old_pod_is_gone(world):
    box = world(strategy={"type": "Recreate"})
    box.settle()
    box.release("app:v2")
    box.step()
    box.step()
    assert all(terminating(pod) for pod in box.pods.values())
    assert box.sizes == {}
    box.settle()
    assert box.sizes == {"app:v2": 3}


def test_an_undo_revives_the_old_replicaset_under_a_new_revision(world):
    box = world()
    box.settle()
    (first,) = box.replicasets
    original = box.deployment["spec"]["template"]
    box.release("app:v2")
    box.settle()
    box.change(template=original)
    box.settle()
    annotations = box.replicasets[first]["metadata"]["annotations"]
    assert box.sizes == {"app:v1": 3}
    assert len(box.replicasets) == 2
    assert annotations[templates.REVISION] == box.deployment["metadata"]["annotations"][templates.REVISION] == "3"
    assert annotations[templates.REVISION_HISTORY] == "1"


def test_a_paused_deployment_scales_but_does_not_roll(world):
    box = world()
    box.settle()
    box.change(paused=True, replicas=5)
    box.release("app:v2")
    box.settle()
    assert box.sizes == {"app:v1": 5}
    box.change(paused=False)
    box.settle()
    assert box.sizes == {"app:v2": 5}


def test_old_replicasets_beyond_the_history_limit_are_forgotten_oldest_first(world):
    box = world(revisionHistoryLimit=2)
    for number in range(1, 6):
        box.release(f"app:v{number}")
        box.settle()
    revisions = sorted(templates.revision(each) for each in box.replicasets.values())
    assert revisions == [3, 4, 5]


def test_a_replicaset_name_that_somebody_else_has_is_not_used(world):
    box = world()
    (free,) = [write.document for write in deployments.plan(box.view) if isinstance(write, Create)]
    (other,) = [
        write.document for write in deployments.plan(box.view, {free["metadata"]["name"]}) if isinstance(write, Create)
    ]
    assert other["metadata"]["name"] != free["metadata"]["name"]


def test_a_deployment_that_is_being_deleted_is_left_alone(world):
    box = world()
    box.deployment["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert deployments.plan(box.view) == []


def test_minimum_ready_seconds_slow_a_rollout_down(world):
    box = world(minReadySeconds=10)
    box.settle()
    box.step()
    assert box.deployment["status"].get("availableReplicas") == 0
    box.now = box.now.replace(minute=1)
    box.settle()
    assert box.deployment["status"]["availableReplicas"] == 3


def test_annotations_of_a_deployment_reach_its_replicaset_later_too(world):
    box = world()
    box.settle()
    box.deployment["metadata"]["annotations"]["note"] = "x"
    writes = box.step()
    assert [write.resource for write in writes] == [REPLICASETS]
    assert next(iter(box.replicasets.values()))["metadata"]["annotations"]["note"] == "x"
