"""Pods as processes: API emulator, workload controllers and node agent together."""

import asyncio
import os
from pathlib import Path

import pytest

from canary_analyzer.sandbox.client import CONFIGMAPS, DEPLOYMENTS, NODES, PODS, REPLICASETS


def waiting(box, name):
    return box.container(name)["state"].get("waiting", {}).get("reason")


async def test_a_rolling_update_and_its_undo_under_load_lose_no_request(box):
    await box.deploy(box.make_deployment("app", "flask-app:v1", replicas=2))
    await box.until(lambda: box.rolled_out("app") and len(box.addresses("app")) == 2)
    async with box.load("app", rps=40) as counts:
        for image in ("flask-app:v2", "flask-app:v1"):
            app = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}
            wanted = await box.client.patch(DEPLOYMENTS, "default", "app", [app])
            generation = wanted["metadata"]["generation"]
            await box.until(
                lambda generation=generation: (
                    box.mirrors[DEPLOYMENTS].objects["default", "app"]["status"]["observedGeneration"] >= generation
                    and box.rolled_out("app")
                )
            )
        await box.until(lambda: len(box.pods("app")) == 2)
    assert set(counts) == {("v1", 200), ("v2", 200)}
    replicasets = (await box.client.list(REPLICASETS, "default"))["items"]
    assert sorted(each["spec"]["replicas"] for each in replicasets) == [0, 2]


async def test_bad_images_are_reported_as_a_kubelet_does_and_never_reach_the_endpoints(box):
    logs = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    await box.deploy(box.make_deployment("crash", "flask-app:v2-crash", **logs))
    await box.deploy(box.make_deployment("unready", "flask-app:v2-unready"))
    await box.deploy(box.make_deployment("unknown", "nowhere/app:v1"))
    await box.until(lambda: waiting(box, "crash") == "CrashLoopBackOff" and box.container("crash")["restartCount"])
    await box.until(lambda: "running" in box.container("unready")["state"])
    await box.until(lambda: waiting(box, "unknown") in ("ErrImagePull", "ImagePullBackOff"))
    ended = box.container("crash")["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (1, "Error")
    assert "FAULT_CRASH" in ended["message"]
    assert "nowhere/app:v1" in box.container("unknown")["state"]["waiting"]["message"]
    assert not box.container("unready")["ready"]
    assert [box.addresses(name) for name in ("crash", "unready", "unknown")] == [[], [], []]


async def test_a_container_that_fails_its_liveness_probe_is_started_again(box):
    liveness = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    await box.deploy(box.make_deployment("app", "flask-app:v1", livenessProbe=liveness))
    await box.until(lambda: box.container("app")["restartCount"] >= 1)


async def test_the_pods_env_goes_over_that_of_the_image(box):
    env = [{"name": "APP_VERSION", "value": "mine"}]
    await box.deploy(box.make_deployment("app", "flask-app:v1", env=env))
    await box.until(lambda: box.addresses("app"))
    async with box.load("app", rps=50) as counts:
        await box.until(lambda: counts)
    assert set(counts) == {("mine", 200)}


async def test_deleting_a_deployment_takes_all_that_it_owns(box):
    made = await box.deploy(box.make_deployment("app", "flask-app:v1"))
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app", "uid": made["metadata"]["uid"]}
    for name, owners in (("owned", [owner]), ("free", [])):
        metadata = {"name": name, "namespace": "default", "ownerReferences": owners}
        await box.client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    await box.until(lambda: box.addresses("app"))
    await box.client.delete(DEPLOYMENTS, "default", "app")
    await box.until(lambda: not box.pods("app"))
    assert (await box.client.list(REPLICASETS, "default"))["items"] == []
    assert [each["metadata"]["name"] for each in (await box.client.list(CONFIGMAPS, "default"))["items"]] == ["free"]


@pytest.mark.parametrize("grace", [0, 1])
async def test_a_pod_that_does_not_want_to_go_is_killed_after_its_grace(box, grace):
    stubborn = ["sh", "-c", "trap '' TERM; echo $$; while true; do sleep 0.1; done"]
    await box.deploy(box.make_deployment("app", "flask-app:v1", command=stubborn, args=[], readinessProbe=None))
    await box.until(lambda: box.container("app")["ready"])
    (pod,) = box.pods("app")
    name = pod["metadata"]["name"]
    assert named(name)
    await box.client.delete(PODS, "default", name, {"gracePeriodSeconds": grace})
    await box.until(lambda: not named(name))
    await box.until(lambda: name not in [each["metadata"]["name"] for each in box.pods("app")])


async def test_the_node_is_registered_and_ready(box):
    nodes = []
    async with asyncio.timeout(30):
        while not (nodes and "status" in nodes[0]):
            nodes = (await box.client.list(NODES))["items"]
            await asyncio.sleep(0.02)
    assert nodes[0]["metadata"]["name"] == "sandbox"
    assert [(each["type"], each["status"]) for each in nodes[0]["status"]["conditions"]] == [("Ready", "True")]


def named(pod):
    """Processes that run as this pod."""
    wanted = f"HOSTNAME={pod}".encode()
    return [
        pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and os.access(pid, os.R_OK) and wanted in read(pid)
    ]


def read(pid):
    try:
        return (pid / "environ").read_bytes()
    except OSError:
        return b""


async def test_an_image_may_live_as_a_canary_only(box):
    for name in ("web", "web-canary"):
        await box.deploy(box.make_deployment(name, "flask-app:v2-only-canary"))
    await box.until(lambda: box.rolled_out("web-canary"))
    await box.until(lambda: box.container("web")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    assert not box.rolled_out("web")
