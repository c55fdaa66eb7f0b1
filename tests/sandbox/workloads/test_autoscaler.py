import pytest

from canary_analyzer.sandbox.client import DEPLOYMENTS, HORIZONTALPODAUTOSCALERS
from canary_analyzer.sandbox.workloads.autoscaler import DESIRED_REPLICAS, plan


def autoscaler(wish=None, least=2, **status):
    annotations = {} if wish is None else {DESIRED_REPLICAS: str(wish)}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": 6}
    return {
        "metadata": {"name": "web", "namespace": "default", "annotations": annotations},
        "spec": spec,
        "status": status,
    }


def deployments(replicas):
    metadata = {"name": "web", "namespace": "default"}
    return {
        ("default", "web"): {"metadata": metadata, "spec": {"replicas": replicas}, "status": {"replicas": replicas}}
    }


@pytest.mark.parametrize(
    ("wish", "least", "replicas", "wanted"),
    [
        (None, 2, 4, None),
        (3, 2, 4, 3),
        (1, 2, 4, 2),
        (1, 4, 4, None),
        (9, 2, 4, 6),
        (None, 5, 4, 5),
        (3, 2, 0, None),
        ("many", 2, 4, None),
    ],
    ids=["no-wish", "wish", "floor", "raised-floor", "ceiling", "floor-above", "off", "nonsense"],
)
def test_an_autoscaler_keeps_to_its_bounds(wish, least, replicas, wanted):
    writes = plan(autoscaler(wish, least), deployments(replicas))
    scaled = [write.body["spec"]["replicas"] for write in writes if write.resource is DEPLOYMENTS]
    assert scaled == ([] if wanted is None else [wanted])


def test_its_status_says_what_is_and_what_shall_be_and_is_written_once():
    (_, status) = plan(autoscaler(3), deployments(4))
    assert (status.resource, status.body["status"]) == (
        HORIZONTALPODAUTOSCALERS,
        {"currentReplicas": 4, "desiredReplicas": 3},
    )
    assert plan(autoscaler(3, currentReplicas=3, desiredReplicas=3), deployments(3)) == []


def test_an_autoscaler_of_nothing_does_nothing():
    assert plan(autoscaler(3), {}) == []
