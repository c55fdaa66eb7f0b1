"""The samples in `istio/` are what the sandbox applies, and translate as they stand."""

from pathlib import Path

import pytest
import yaml

from canary_analyzer.sandbox.mesh.translate import translate
from canary_analyzer.sandbox.mesh.world import World

ISTIO = Path(__file__).parents[3] / "istio"


def sample(file):
    return yaml.safe_load((ISTIO / file).read_text())


@pytest.mark.parametrize("rule", ["virtualservice.yaml", "virtualservice-subsets.yaml"])
def test_a_sample_leads_from_the_gateway_to_clusters_that_exist(make, rule):
    snapshot = translate(
        World(
            services=[make.service("flask-app")],
            gateways=[sample("gateway.yaml")],
            virtual_services=[sample(rule)],
            destination_rules=[sample("destinationrule.yaml")],
        )
    )
    (host,) = snapshot.routes["ingress"]["virtual_hosts"]
    forward = host["routes"][0]["route"]
    names = [each["name"] for each in forward.get("weighted_clusters", {}).get("clusters", ())]
    assert host["domains"] == ["*"]
    assert set(names or [forward["cluster"]]) <= snapshot.clusters.keys()
