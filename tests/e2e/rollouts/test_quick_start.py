"""What a newcomer does by docs/quick-start.md and nothing else: one command installs, one releases."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

pytestmark = [pytest.mark.long, pytest.mark.kubectl, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/quick-start.md"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
PATIENCE = 600
"""Seconds; the profile standard analyses for five minutes."""


def command(program):
    """The page's command for the cluster, in the namespace that the sandbox's app is in."""
    page = PAGE.read_text().partition("## In your cluster")[2]
    return re.search(rf"```sh\n({program}[^\n]*)\n```", page)[1].replace("--namespace shop", "--namespace default")


@pytest.fixture
def cluster(start_sandbox, tmp_path):
    """A sandbox that enforces rights, whose nodes can pull both images; its Prometheus is where it happens to be."""
    if missing := [tool for tool in ("helm", "kubectl") if shutil.which(tool, path=PATH) is None]:
        reason = f"{' and '.join(missing)} not on PATH"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    service = {
        "command": ["python", str(Path(__file__).with_name("in_pod.py")), str(tmp_path)],
        "environment": {"HOME": "/tmp"},
    }
    app = {
        "command": ["python", "-m", "gunicorn", "--config", "python:flask_app.server", "flask_app.app:create_app()"],
        "environment": {"APP_VERSION": "v2"},
    }
    images = {"registry.example/canary-analyzer:0.1.0": service, "registry.example/flask-app:v2": app}
    (tmp_path / "images.yaml").write_text(yaml.safe_dump({"images": images}))
    with start_sandbox(100, "--enforce-rbac", "--images", str(tmp_path / "images.yaml")) as (_, addresses):
        yield addresses


def typed(text, addresses):
    environment = {**os.environ, "PATH": PATH, "KUBECONFIG": addresses["kubeconfig"]}
    done = subprocess.run(["bash", "-c", text], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout


def mount_config(install, addresses, folder):
    """What kubelet would mount into the service's pods: the files of its ConfigMap."""
    rendered = yaml.safe_load_all(typed(install.replace("helm install", "helm template"), addresses))
    (config,) = (each for each in rendered if each and each["kind"] == "ConfigMap")
    for name, text in config["data"].items():
        (folder / name).write_text(text)


def mount_token(addresses, folder):
    """The same of its ServiceAccount's token; a container that is sooner is started again."""
    answer = requests.get(f"{addresses['control']}/kubeconfig/default/canary-analyzer", timeout=10)
    answer.raise_for_status()
    (folder / "kubeconfig").write_text(answer.text)


def test_one_command_installs_and_one_releases(cluster, make_user, tmp_path):
    user = make_user(cluster)
    route = user.route()
    install = f"{command('helm')} --set config.prometheus.url={cluster['prometheus']}"
    mount_config(install, cluster, tmp_path)
    typed(install, cluster)
    mount_token(cluster, tmp_path)
    typed(command("kubectl annotate"), cluster)
    user.eventually(lambda: user.status().get("phase") == "Succeeded", "the end of the canary", patience=PATIENCE)
    assert user.image() == "registry.example/flask-app:v2"
    assert user.route() == route
    assert user.load()["lost"] == 0
    assert "CanarySucceeded" in typed("kubectl describe deployment/flask-app", cluster)
