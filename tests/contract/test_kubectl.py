"""kubectl against the same server: what a person types, and what he reads."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract_checks.api import Api, Document
from contract_checks.documents import MERGE, deployment, service, virtual_service, with_deployment

Kubectl = Callable[..., str]

pytestmark = pytest.mark.kubectl


@pytest.fixture
def command(api: Api, tmp_path: Path) -> list[str]:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not on PATH: install it to run these checks (kubernetes.io/docs/tasks/tools)")
    return [program, f"--kubeconfig={api.kubeconfig}", f"--namespace={api.namespace}", f"--cache-dir={tmp_path}"]


@pytest.fixture
def kubectl(command: list[str]) -> Kubectl:
    def run(*words: str, stdin: Any = None, fails: bool = False) -> str:
        text = "" if stdin is None else yaml.safe_dump_all(stdin)
        done = subprocess.run([*command, *words], input=text, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode != 0) == fails, f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return run


def roll_out(api: Api) -> None:
    """Say what a workload controller says when all is done."""
    live = api.ok("GET", api.deployment())
    count = live["spec"]["replicas"]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
    conditions = [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "has all"}]
    status = {"observedGeneration": live["metadata"]["generation"], **counts, "conditions": conditions}
    api.ok("PATCH", api.deployment(subresource="status"), {"status": status}, MERGE)


def get(kubectl: Kubectl, *words: str) -> Document:
    document: Document = json.loads(kubectl("get", *words, "-o", "json"))
    return document


def test_get_prints_tables_that_tell_the_state(api, kubectl):
    with_deployment(api)
    roll_out(api)
    api.ok("POST", api.path("services"), service())
    api.ok("POST", api.virtual_service(""), virtual_service())
    lines = [line.split() for line in kubectl("get", "deployments").splitlines()]
    assert lines[0] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1][:4] == ["app", "1/1", "1", "1"]
    assert "ClusterIP" in kubectl("get", "svc", "-o", "wide")
    assert "app" in kubectl("get", "vs")
    assert "deployment.apps/app" in kubectl("get", "all")
    assert kubectl("get", "deploy", "-o", "name") == "deployment.apps/app\n"
    assert kubectl("get", "deploy", "-l", "a=b").startswith("No resources found")
    assert 'deployments.apps "none" not found' in kubectl("get", "deploy", "none", fails=True)


@pytest.mark.parametrize("side", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_apply_creates_then_configures_then_leaves_alone(api, kubectl, side):
    documents = [deployment(), service(), virtual_service()]
    kubectl("apply", *side, "-f", "-", stdin=documents)
    assert "unchanged" in kubectl("apply", *side, "-f", "-", stdin=documents) or side
    document = deployment(replicas=3)
    document["spec"]["template"]["spec"]["containers"][0]["image"] = "app:v2"
    document["metadata"]["labels"] = {"a": "b"}
    said = kubectl("apply", *side, "-f", "-", stdin=[document])
    assert "warning" not in said.lower()
    live = get(kubectl, "deploy", "app")
    assert (live["spec"]["replicas"], live["metadata"]["labels"]) == (3, {"a": "b"})
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "app:v2"
    kubectl("apply", *side, "-f", "-", stdin=[deployment()])
    assert "labels" not in get(kubectl, "deploy", "app")["metadata"]


def test_apply_moves_from_client_side_to_server_side(api, kubectl):
    kubectl("apply", "-f", "-", stdin=[deployment(replicas=2)])
    kubectl("apply", "--server-side", "-f", "-", stdin=[deployment(replicas=3)])
    live = get(kubectl, "deploy", "app", "--show-managed-fields")
    owners = [
        e["manager"] for e in live["metadata"]["managedFields"] if "f:replicas" in e["fieldsV1"].get("f:spec", {})
    ]
    assert (live["spec"]["replicas"], owners) == (3, ["kubectl"])


def test_apply_names_an_unknown_field(api, kubectl):
    said = kubectl("apply", "-f", "-", stdin=[deployment(surprise=1)], fails=True)
    assert 'unknown field "spec.surprise"' in said


def test_diff_and_dry_run_change_nothing(api, kubectl):
    with_deployment(api)
    assert "(server dry run)" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=[deployment(replicas=5)])
    assert get(kubectl, "deploy", "app")["spec"]["replicas"] == 1


def test_annotate_and_label_write_and_remove(api, kubectl):
    with_deployment(api)
    kubectl("annotate", "deployment/app", "canary-analyzer.io/image=app:v2")
    kubectl("label", "deploy", "app", "tier=front")
    metadata = get(kubectl, "deploy", "app")["metadata"]
    assert (metadata["annotations"]["canary-analyzer.io/image"], metadata["labels"]) == ("app:v2", {"tier": "front"})
    kubectl("annotate", "deployment/app", "canary-analyzer.io/image-")
    kubectl("label", "deploy", "app", "tier-")
    metadata = get(kubectl, "deploy", "app")["metadata"]
    assert not metadata.get("annotations")
    assert not metadata.get("labels")


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:v2"}]}}}}),
        ("json", [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "app:v2"}]),
        ("merge", {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:v2"}]}}}}),
    ],
    ids=["strategic", "json", "merge"],
)
def test_patch_takes_three_formats(api, kubectl, kind, patch):
    with_deployment(api)
    kubectl("patch", "deploy", "app", "--type", kind, "-p", json.dumps(patch))
    assert get(kubectl, "deploy", "app")["spec"]["template"]["spec"]["containers"][0]["image"] == "app:v2"


def test_scale_and_set_image_change_the_deployment(api, kubectl):
    with_deployment(api)
    kubectl("scale", "deploy/app", "--replicas=4", "--current-replicas=1")
    kubectl("set", "image", "deploy/app", "app=app:v2")
    spec = get(kubectl, "deploy", "app")["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (4, "app:v2")


def test_describe_shows_the_object_and_its_events(api, kubectl):
    created = with_deployment(api)
    metadata = created["metadata"]
    involved = {key: metadata[key] for key in ("name", "namespace", "uid")} | {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
    }
    event = {"reason": "CanaryStarted", "message": "the canary has begun", "type": "Normal"}
    times = {"firstTimestamp": metadata["creationTimestamp"], "lastTimestamp": metadata["creationTimestamp"]}
    api.ok("POST", api.path("events"), {"metadata": {"name": "app.1"}, "involvedObject": involved, **event, **times})
    said = kubectl("describe", "deployment", "app")
    assert "app=app" in said
    assert "the canary has begun" in said
    assert "CanaryStarted" in kubectl("events", "--for", "deployment/app")
    assert "CanaryStarted" in kubectl("get", "events")


def test_describe_knows_custom_kinds_and_services(api, kubectl):
    api.ok("POST", api.virtual_service(""), virtual_service())
    api.ok("POST", api.path("services"), service())
    assert "Weight:" in kubectl("describe", "vs", "app")
    assert "Endpoints:" in kubectl("describe", "svc", "app")


def test_delete_waits_until_the_object_is_gone(api, kubectl):
    with_deployment(api)
    assert 'deployment.apps "app" deleted' in kubectl("delete", "deployment", "app")
    assert api.send("GET", api.deployment()).status == 404
    assert "not found" in kubectl("delete", "deployment", "app", fails=True)


def test_wait_ends_when_the_condition_holds(api, kubectl):
    with_deployment(api)
    timer = threading.Timer(0.5, roll_out, [api])
    timer.start()
    assert "condition met" in kubectl("wait", "--for=condition=Available", "deploy/app", "--timeout=20s")
    timer.join()
    assert "condition met" in kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", "deploy/app", "--timeout=5s")
    assert "timed out" in kubectl("wait", "--for=condition=Progressing", "deploy/app", "--timeout=1s", fails=True)


def test_wait_for_deletion_ends_when_the_object_is_gone(api, kubectl):
    with_deployment(api)
    timer = threading.Timer(0.5, api.send, ["DELETE", api.deployment()])
    timer.start()
    kubectl("wait", "--for=delete", "deploy/app", "--timeout=20s")
    timer.join()


def test_rollout_status_follows_the_controller(api, kubectl):
    with_deployment(api)
    timer = threading.Timer(0.5, roll_out, [api])
    timer.start()
    assert "successfully rolled out" in kubectl("rollout", "status", "deploy/app", "--timeout=20s")
    timer.join()


def test_get_watch_prints_every_change(api, command):
    with_deployment(api)
    watch = [*command, "get", "deploy", "app", "--watch", "--no-headers", "--request-timeout=60s"]
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as watching:
        before = watching.stdout.readline()
        roll_out(api)
        after = watching.stdout.readline()
        watching.terminate()
    assert [before.split()[:2], after.split()[:2]] == [["app", "0/1"], ["app", "1/1"]]


def test_create_sends_what_the_server_understands(api, kubectl):
    kubectl("create", "configmap", "settings", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "hidden", "--from-literal=a=b")
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "deployment", "made", "--image=app:v1")
    kubectl("create", "namespace", f"{api.namespace}-more")
    kubectl("delete", "namespace", f"{api.namespace}-more", "--wait=false")
    assert get(kubectl, "configmap", "settings")["data"] == {"a": "b"}
    assert get(kubectl, "secret", "hidden")["data"] == {"a": "Yg=="}
    assert get(kubectl, "deployment", "made")["spec"]["template"]["spec"]["containers"][0]["image"] == "app:v1"
    assert kubectl("auth", "can-i", "create", "deployments").strip() == "yes"


def test_the_server_introduces_itself(api, kubectl):
    assert "Server Version" in kubectl("version")
    assert "virtualservices" in kubectl("api-resources", "--api-group=networking.istio.io")
    assert "apps/v1" in kubectl("api-versions")
