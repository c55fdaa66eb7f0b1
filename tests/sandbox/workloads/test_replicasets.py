import pytest

from canary_analyzer.sandbox.client import PODS
from canary_analyzer.sandbox.workloads import replicasets
from canary_analyzer.sandbox.workloads.pods import deletion_order
from canary_analyzer.sandbox.workloads.writes import Delete


def make_replicaset(replicas):
    template = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": []}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "app-1", "namespace": "default", "uid": "r", "generation": 4},
        "spec": {"replicas": replicas, "template": template},
    }


def test_missing_pods_are_made_from_the_template_and_owned(start):
    writes = [write for write in replicasets.plan(make_replicaset(2), [], start) if write.resource is PODS]
    metadata = writes[0].document["metadata"]
    assert len(writes) == 2
    assert metadata["generateName"] == "app-1-"
    assert metadata["labels"] == {"app": "app"}
    assert metadata["ownerReferences"][0]["uid"] == "r"
    assert metadata["ownerReferences"][0]["controller"] is True


def test_pods_that_are_going_or_finished_are_replaced(start, pod):
    going = pod("going", deletionTimestamp="2026-01-01T00:00:00Z")
    finished = pod("finished")
    finished["status"]["phase"] = "Failed"
    writes = replicasets.plan(make_replicaset(2), [going, finished, pod("good")], start)
    assert sum(write.resource is PODS for write in writes) == 1


def test_surplus_pods_are_deleted_the_least_useful_first(start, pod):
    pods = [pod("ready"), pod("unready", ready=False), pod("other")]
    deletions = [each for each in replicasets.plan(make_replicaset(2), pods, start) if isinstance(each, Delete)]
    assert [(each.name, each.uid) for each in deletions] == [("unready", "uid-unready")]


def described(pod, **changes):
    document = pod(
        "x", creationTimestamp=changes.get("created", "2026-01-01T00:00:00Z"), ready=changes.get("ready", True)
    )
    document["status"]["phase"] = changes.get("phase", "Running")
    document["status"]["containerStatuses"] = [{"restartCount": changes.get("restarts", 0)}]
    if cost := changes.get("cost"):
        document["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    if changes.get("unassigned"):
        del document["spec"]["nodeName"]
    return document


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param({"unassigned": True}, {}, id="not on a node yet"),
        pytest.param({"phase": "Pending"}, {"phase": "Running"}, id="pending"),
        pytest.param({"ready": False}, {}, id="not ready"),
        pytest.param({"cost": "-1"}, {}, id="cheaper by annotation"),
        pytest.param({"restarts": 3}, {"restarts": 1}, id="more restarts"),
        pytest.param({"created": "2026-01-02T00:00:00Z"}, {"created": "2026-01-01T00:00:00Z"}, id="younger"),
    ],
)
def test_which_pod_is_missed_least(pod, first, then):
    assert deletion_order(described(pod, **first)) < deletion_order(described(pod, **then))


def test_the_status_is_written_only_when_it_changes(start, pod):
    replicaset = make_replicaset(1)
    pods = [pod("a", labels={"app": "app"})]
    (write,) = replicasets.plan(replicaset, pods, start)
    replicaset["status"] = write.body["status"]
    assert write.body["status"] == {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 4,
    }
    assert replicasets.plan(replicaset, pods, start) == []
