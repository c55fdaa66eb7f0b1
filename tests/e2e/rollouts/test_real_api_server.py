"""The sandbox and the service on a real kube-apiserver with its etcd, found through KUBEBUILDER_ASSETS."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from kubernetes import client, config

from contract_checks.servers import kube_apiserver

ASSETS = os.environ.get("KUBEBUILDER_ASSETS")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not ASSETS, reason="KUBEBUILDER_ASSETS names no folder with kube-apiserver and etcd"),
]
SHORT = "{start_seconds: 20, steps: [{weight: 25, seconds: 6, requests: 10}, {weight: 50, seconds: 6, requests: 10}]}"
STOP_SECONDS = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with kube_apiserver(Path(str(ASSETS)), tmp_path_factory.mktemp("cluster")) as kubeconfig:
        yield kubeconfig


@contextmanager
def sandbox_on(kubeconfig):
    """A sandbox's process and addresses; it gives up by itself where it cannot come up."""
    command = [sys.executable, "-m", "canary_analyzer.cli", "sandbox", "up", "--json", "--load", "20"]
    process = subprocess.Popen([*command, "--kubeconfig", kubeconfig], stdout=subprocess.PIPE)
    try:
        yield process, json.loads(process.stdout.readline() or "null")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


@pytest.fixture
def sandbox(server):
    with sandbox_on(server) as (_, addresses):
        yield addresses


@pytest.mark.parametrize(
    ("image", "phase", "serves"),
    [("flask-app:v2", "Succeeded", True), ("flask-app:v2-crash", "Aborted", False)],
    ids=["good", "crash"],
)
def test_a_canary_ends_as_it_should_leaves_no_trace_and_loses_no_request(user, service, image, phase, serves):
    route = user.route()
    user.canary(image, config=SHORT)
    ended = user.ended()
    assert ended["phase"] == phase, ended
    assert user.image() == (image if serves else "flask-app:v1")
    assert user.route() == route
    version = image.partition(":")[2]
    assert (version in user.answered(), user.load()["lost"]) == (serves, 0)


def left(kubeconfig):
    api = config.new_client_from_config(str(kubeconfig))
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    lists = (
        apps.list_namespaced_deployment("default"),
        apps.list_namespaced_replica_set("default"),
        core.list_namespaced_pod("default"),
        core.list_namespaced_endpoints("default"),
        core.list_node(),
    )
    return {item.metadata.name for each in lists for item in each.items} - {"kubernetes"}


def test_a_sandbox_takes_away_what_it_made(server):
    with sandbox_on(server) as (process, _):
        assert "flask-app" in left(server)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    assert left(server) == set()


def test_a_sandbox_goes_on_where_a_killed_one_ended(server):
    with sandbox_on(server) as (process, _):
        process.kill()
        process.wait(STOP_SECONDS)
    with sandbox_on(server) as (_, addresses):
        assert addresses is not None
