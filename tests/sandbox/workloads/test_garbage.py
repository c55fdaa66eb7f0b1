import pytest

from canary_analyzer.sandbox.client import CONFIGMAPS, DEPLOYMENTS
from canary_analyzer.sandbox.workloads.garbage import suspects

KNOWN = frozenset({("apps", "Deployment")})


def owner(uid, kind="Deployment", version="apps/v1"):
    return {"apiVersion": version, "kind": kind, "name": "app", "uid": uid}


def configmap(*owners, **metadata):
    return {"metadata": {"name": "c", "namespace": "default", "uid": "c", "ownerReferences": list(owners), **metadata}}


@pytest.mark.parametrize(
    ("document", "suspected"),
    [
        pytest.param(configmap(owner("gone")), True, id="its owner is gone"),
        pytest.param(configmap(owner("alive")), False, id="its owner is there"),
        pytest.param(configmap(owner("gone"), owner("alive")), False, id="one of its owners is there"),
        pytest.param(configmap(), False, id="nobody owns it"),
        pytest.param(configmap(owner("gone", "Rollout", "argoproj.io/v1")), False, id="a kind nobody knows"),
        pytest.param(configmap(owner("gone"), deletionTimestamp="x"), False, id="already going"),
    ],
)
def test_what_may_be_collected(document, suspected):
    deployment = {"metadata": {"name": "app", "namespace": "default", "uid": "alive"}}
    found = list(suspects({DEPLOYMENTS: [deployment], CONFIGMAPS: [document]}, KNOWN))
    assert [each.deletion.uid for each in found] == (["c"] if suspected else [])
