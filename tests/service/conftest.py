"""An app in the cluster that the API emulator keeps."""

from copy import deepcopy

import pytest
import yaml

from canary_analyzer.cluster.client import DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES, Cluster
from canary_analyzer.sandbox.faults import faulty

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "app"}},
        "template": {
            "metadata": {"labels": {"app": "app"}},
            "spec": {"containers": [{"name": "app", "image": "app:v1"}]},
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {"selector": {"app": "app"}, "ports": [{"name": "http", "port": 80}]},
}
VIRTUAL_SERVICE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {"hosts": ["app"], "http": [{"route": [{"destination": {"host": "app"}}]}]},
}


@pytest.fixture
def app(cluster):
    """An app that is rolled out and routed to, in its cluster; `app.annotate` and `app.edit` do what a user does."""

    class App:
        def __init__(self):
            cluster.create(DEPLOYMENTS, deepcopy(DEPLOYMENT))
            cluster.create(SERVICES, deepcopy(SERVICE))
            cluster.create(VIRTUAL_SERVICES, deepcopy(VIRTUAL_SERVICE))
            self.roll_out()

        def roll_out(self, **status):
            """Report what a workload controller would once every pod is there."""
            generation = self.deployment()["metadata"]["generation"]
            counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), 2)
            whole = {"observedGeneration": generation, **counts, **status}
            cluster.merge(DEPLOYMENTS, "default", "app/status", {"status": whole})

        def deployment(self):
            return cluster.get(DEPLOYMENTS, "default", "app")

        def route(self):
            return cluster.get(VIRTUAL_SERVICES, "default", "app")

        def annotate(self, **values):
            named = {f"canary-analyzer.io/{key}": value for key, value in values.items()}
            cluster.merge(DEPLOYMENTS, "default", "app", {"metadata": {"annotations": named}})
            self.roll_out()

        def edit(self, kind, patch):
            cluster.merge(kind, "default", "app", patch)

    return App()


@pytest.fixture
def proxy(tmp_path, cluster):
    """A proxy before the API server, and a client that goes through it."""
    kubeconfig = tmp_path / "kubeconfig"
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    with faulty(server) as proxy:
        (tmp_path / "proxied").write_text(kubeconfig.read_text().replace(server, proxy.url))
        proxy.client = Cluster.connect(tmp_path / "proxied")
        yield proxy
