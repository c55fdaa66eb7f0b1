"""What users copy from `flask_app/manifests` and `istio`: objects that Kubernetes takes, and what they promise."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import aiohttp
import pytest
import yaml

from canary_analyzer.sandbox import api
from canary_analyzer.sandbox.mesh.translate import translate
from canary_analyzer.sandbox.mesh.world import World

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="make setup installs kubernetes-validate")

ROOT = Path(__file__).parents[2]
MANIFESTS, ISTIO = ROOT / "flask_app/manifests", ROOT / "istio"
OVERLAYS = ("rolling", "canary", "blue-green")
SAMPLES = sorted(ISTIO.glob("*.yaml"))
OURS = "canary-analyzer.io/"


@cache
def built(overlay):
    """The objects of an overlay by kind."""
    if not shutil.which("kubectl"):
        reason = "kubectl is not on PATH"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    answer = subprocess.run(["kubectl", "kustomize", MANIFESTS / overlay], capture_output=True, text=True, check=True)
    return {document["kind"]: document for document in yaml.safe_load_all(answer.stdout)}


def samples(*files):
    return [document for file in files for document in yaml.safe_load_all((ISTIO / file).read_text())]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_one_that_kubernetes_takes(overlay):
    for document in built(overlay).values():
        assert document["metadata"]["namespace"] == "default"
        if ".istio.io/" not in document["apiVersion"]:
            kubernetes_validate.validate(document, "1.33", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_probed_drained_and_limited(overlay):
    pod = built(overlay)["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    # preStop and the requests in flight, for which gunicorn takes 25 s.
    assert pod["terminationGracePeriodSeconds"] > container["lifecycle"]["preStop"]["sleep"]["seconds"] + 25
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}


@pytest.mark.parametrize(
    ("overlay", "unavailable"), [("rolling", 1), ("canary", 0), ("blue-green", 0)], ids=lambda value: str(value)
)
def test_three_replicas_are_replaced_one_by_one(overlay, unavailable):
    spec = built(overlay)["Deployment"]["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": unavailable},
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_selects_stable_s_pods_leaves_a_canary_s_alone(overlay):
    objects = built(overlay)
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    canary = labels | {"track": "canary"}
    selectors = [objects["Deployment"]["spec"]["selector"]["matchLabels"], objects["Service"]["spec"]["selector"]]
    selectors += [objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]]
    assert all(each.items() <= labels.items() and not each.items() <= canary.items() for each in selectors)
    assert objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "flask-app"


def test_the_manifests_say_nothing_of_canaries_but_the_strategy():
    ours = {name: value for each in OVERLAYS for name, value in annotations(built(each)).items() if OURS in name}
    assert ours == {"canary-analyzer.io/strategy": "blue-green"}


def annotations(objects):
    return objects["Deployment"]["metadata"].get("annotations", {})


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
async def test_a_sample_is_taken_as_it_stands(path):
    async with api.ApiServer() as server, aiohttp.ClientSession(server.url) as http:
        for document in samples(path.name):
            group, plural = document["apiVersion"], _plural(document["kind"])
            place = f"/apis/{group}/namespaces/default/{plural}?fieldValidation=Strict"
            async with http.post(place, json=document) as answer:
                assert answer.status == 201, await answer.text()


def _plural(kind):
    return kind.lower()[:-1] + "ies" if kind.endswith(("cy", "ry")) else kind.lower() + "s"


def test_policies_select_on_a_label_that_canaries_keep():
    for document in samples("peerauthentication.yaml", "authorizationpolicy.yaml"):
        assert document["spec"]["selector"]["matchLabels"] == {"app": "flask-app"}


def test_inside_the_mesh_requests_go_by_the_mesh_s_route():
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    service = {"metadata": {"name": "flask-app", "namespace": "default"}, "spec": {"ports": ports}}
    snapshot = translate(
        World(
            services=[service],
            virtual_services=samples("virtualservice-mesh.yaml"),
            destination_rules=samples("destinationrule-pool.yaml"),
        )
    )
    hosts = [each for each in snapshot.routes["sidecar"]["virtual_hosts"] if "flask-app" in each["domains"]]
    assert [each["routes"][0]["route"]["retry_policy"]["num_retries"] for each in hosts] == [2]
