"""What a newcomer does by the pages alone: docs/quick-start.md in a cluster, and the whole of docs/tutorial.md."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

from canary_analyzer import __version__

pytestmark = [pytest.mark.long, pytest.mark.kubectl, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[3]
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
PATIENCE = 900
"""Seconds; the profile standard analyses for five minutes."""
APP = {"command": ["python", "-m", "gunicorn", "--config", "python:flask_app.server", "flask_app.app:create_app()"]}
CLUSTER = "## In your cluster"
NOT_HERE = {
    r"docker ": "needs a Docker engine; the sandbox's nodes know these images",
    r"pip install ": "changes the reader's own environment; in this one the plugin is installed",
    r"helm uninstall ": "its hook is a Job, which only a cluster runs; test_chart.py does the same",
}
"""Commands of the tutorial that are not typed, and why."""


def commands(page, heading="# "):
    """The commands of a page from a heading on."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text().partition(heading)[2], re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def cluster(start_sandbox, tmp_path):
    """A sandbox that enforces rights, whose nodes can pull the images; its Prometheus is where it happens to be."""
    if missing := [tool for tool in ("helm", "kubectl") if shutil.which(tool, path=PATH) is None]:
        reason = f"{' and '.join(missing)} not on PATH"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    service = {
        "command": ["python", str(Path(__file__).with_name("in_pod.py")), str(tmp_path)],
        "environment": {"HOME": "/tmp"},
    }
    images = {
        f"canary-analyzer:{__version__}": service,
        "flask-app:v1": APP | {"environment": {"APP_VERSION": "v1"}},
        "flask-app:v2": APP | {"environment": {"APP_VERSION": "v2"}},
        "flask-app:v3": APP | {"environment": {"APP_VERSION": "v3", "FAULT_ERROR_RATE": "0.1"}},
    }
    pulled = {f"registry.example/{name}": image for name, image in images.items()}
    (tmp_path / "images.yaml").write_text(yaml.safe_dump({"images": pulled}))
    with start_sandbox(0, "--enforce-rbac", "--images", str(tmp_path / "images.yaml")) as (_, addresses):
        yield addresses


@pytest.fixture
def user(cluster, make_user):
    return make_user(cluster)


@pytest.fixture
def type_(cluster, tmp_path):
    """Type a command in a checkout that files may be written into; gives what it prints."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("chart", "flask_app"):
        (checkout / name).symlink_to(ROOT / name)
    place = {"cwd": checkout, "env": {**os.environ, "PATH": PATH, "KUBECONFIG": cluster["kubeconfig"]}}

    def run(text, code=0):
        done = subprocess.run(["bash", "-c", text], **place, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == code, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def install(cluster, type_, tmp_path):
    """Type `helm install`, and do as kubelet does: mount the service's config, and its token once there is one."""

    def run(text):
        here = f"{text} --set config.prometheus.url={cluster['prometheus']}"
        rendered = yaml.safe_load_all(type_(here.replace("helm install", "helm template")))
        (config,) = (each for each in rendered if each and each["kind"] == "ConfigMap")
        for name, content in config["data"].items():
            (tmp_path / name).write_text(content)
        said = type_(here)
        answer = requests.get(f"{cluster['control']}/kubeconfig/default/canary-analyzer", timeout=10)
        answer.raise_for_status()
        (tmp_path / "kubeconfig").write_text(answer.text)
        return said

    return run


def test_one_command_installs_and_one_releases(user, type_, install):
    user.control("load?rps=100")
    route = user.route()
    page = [
        each.replace("--namespace shop", "--namespace default") for each in commands("docs/quick-start.md", CLUSTER)
    ]
    install(next(each for each in page if each.startswith("helm install")))
    type_(next(each for each in page if each.startswith("kubectl annotate")))
    user.eventually(user.phase("Succeeded"), "the end of the canary", patience=PATIENCE)
    assert user.image() == "registry.example/flask-app:v2"
    assert user.route() == route
    assert user.load()["lost"] == 0
    user.eventually(lambda: "CanarySucceeded" in type_("kubectl describe deployment/flask-app"), "the last Event")


@pytest.fixture
def do(user, type_, install):
    """Carry out a command of the tutorial, each in its way; gives what it prints."""
    ends = iter((0, 1))  # the first canary that is watched is promoted, the second is sent back

    def one(command):
        if any(re.search(pattern, command) for pattern in NOT_HERE):
            return ""
        if "--image curlimages/curl" in command:
            user.control("load?rps=100")  # the cluster has no names in DNS: the sandbox's own client calls the ingress
            return ""
        if command.startswith("helm install"):
            return install(command)
        return type_(command, next(ends) if "canary watch" in command else 0)

    return one


def test_the_tutorial_can_be_followed_to_its_end(user, type_, do):
    type_("kubectl delete deployments,services,virtualservices,gateways.networking.istio.io flask-app")
    page = commands("docs/tutorial.md")
    said = [do(each) for each in page]
    assert all(any(re.search(pattern, each) for each in page) for pattern in NOT_HERE)

    first, second = (told for each, told in zip(page, said, strict=True) if "canary watch" in each)
    assert all(phase in first for phase in ("Starting", "Analysing", "Promoting", "Succeeded"))
    assert "Aborting" in second
    user.eventually(user.phase("Aborted"), "the end of the run that was taken in hand")
    runs = json.loads(type_("kubectl canary history flask-app --json"))
    assert [run["phase"] for run in runs] == ["Aborted", "Aborted", "Succeeded"]
    assert user.image() == "registry.example/flask-app:v2"
    route = yaml.safe_load_all((ROOT / "flask_app/manifests/canary/route.yaml").read_text())
    assert user.route()["spec"] in [each["spec"] for each in route]
    assert user.load()["lost"] == 0
