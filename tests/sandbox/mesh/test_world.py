import pytest

from canary_analyzer.sandbox.mesh.world import workload_metadata


def test_the_workload_is_the_deployment_behind_the_replica_set(make):
    assert workload_metadata(make.pod("a", "flask-app"))["workload"] == "flask-app"


def test_a_pod_without_an_owner_is_its_own_workload():
    assert workload_metadata({"metadata": {"name": "lonely", "namespace": "default"}})["workload"] == "lonely"


@pytest.mark.parametrize(
    ("labels", "service", "revision"),
    [
        ({}, "flask-app", "latest"),
        ({"app": "web", "version": "v3"}, "web", "v3"),
        ({"app": "web", "app.kubernetes.io/name": "shop"}, "shop", "latest"),
        ({"app.kubernetes.io/name": "shop", "service.istio.io/canonical-name": "till"}, "till", "latest"),
    ],
    ids=["workload", "app", "recommended-label", "istio-label"],
)
def test_canonical_names_follow_istios_precedence(make, labels, service, revision):
    identity = workload_metadata(make.pod("a", "flask-app", **labels))
    assert (identity["canonical_service"], identity["canonical_revision"]) == (service, revision)
