"""Every command of README and the documentation, as a reader would type it.

kubectl and helm talk to the API emulator, our own commands run in this process, make says what it would do. What cannot
run here stands in a table with its reason; of our own commands the options are read all the same.
"""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from glob import glob
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from canary_analyzer import __version__
from canary_analyzer.analysis import ArmCounts, History
from canary_analyzer.analysis.saved import Past, written
from canary_analyzer.cli.app import app
from canary_analyzer.cli.plugin import app as plugin
from canary_analyzer.rollout.phases import Phase

PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
SCENE = runpy.run_path(str(Path(__file__).with_name("scene.py")))["Scene"]

PROGRAMS = {"canary-analyzer": app, "kubectl-canary": plugin}
ELSEWHERE = {
    r"docker ": "needs a Docker engine; tests/chart/test_images.py runs the steps of both Dockerfiles",
    r"flux ": "needs Flux",
    r"pip install ": "changes the reader's own environment",
    r"helm uninstall ": "its hook is a Job, which only a cluster runs; tests/e2e/rollouts/test_chart.py does the same",
    r"kubectl (logs|port-forward) ": "needs a pod that runs; tests/e2e/test_sandbox.py reads logs",
}
"""Commands that are not run at all, and why."""
READ_ONLY = {
    r"canary-analyzer (serve|demo|sandbox up)": "goes on until it is stopped; tests/e2e starts them",
    r"canary-analyzer calibrate": "simulates for minutes; tests/cli/test_calibrate.py runs it",
    r"canary-analyzer backtest .*--prometheus-url": "asks a Prometheus; tests/e2e/rollouts/test_past.py has one",
    r"start .*--image proxy=": "wants a Deployment of two containers; tests/cli/test_start.py has one",
    r"start .*--wait": "waits for a run's end; tests/e2e/rollouts/test_plugin.py does",
}
"""Commands of ours whose words are read, and that are not carried out, and why."""
STANDING = {
    "approve": Phase.AWAITING_APPROVAL,
    "resume": Phase.HOLDING,
    **dict.fromkeys(("hold", "abort", "promote", "status", "list"), Phase.ANALYSING),
    **dict.fromkeys(("watch", "wait", "explain", "report", "history"), Phase.SUCCEEDED),
}
"""How a run has to stand for a verb; for the others there is none."""


def reason(command, table):
    return next((why for pattern, why in table.items() if re.search(pattern, command)), None)


@pytest.fixture
def place(tmp_path, root, monkeypatch):
    """A checkout with the files that examples name, and a cluster behind $KUBECONFIG."""
    for name in ("Makefile", "chart", "flask_app", "istio", "dashboards", "docs"):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / "config.yaml").write_text("prometheus: {url: 'http://127.0.0.1:9'}\n")
    (tmp_path / "mine.yaml").write_text("analysis: {alpha: 0.02}\n")
    (tmp_path / "routes").symlink_to(root / "flask_app/manifests/canary")
    (tmp_path / "my-images.yaml").write_text("images: {}\n")
    (tmp_path / "run-3.json").write_text(json.dumps(past()))
    scene = SCENE(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "KUBECONFIG": str(scene.kubeconfig),
        "PATH": PATH,
        "NO_COLOR": "1",
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    yield scene
    scene.close()


def past():
    counts = ArmCounts(
        requests=np.full(30, 1000), errors=np.full(30, 2), latency=np.tile(np.array([900, 90, 10]), (30, 1))
    )
    history = History(tick_seconds=10, edges_ms=np.array([50.0, 200.0]), canary=counts, baseline=counts)
    return written(Past(history=history, times=tuple(1.7e9 + 10 * i for i in range(30))))


def namespace_of(words):
    given = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("--namespace", "-n")]
    return given[-1] if given else "default"


def test_every_command_is_one_that_can_be_typed(sh_block, request):
    """The commands of a block, in order, in one place."""
    for command in sh_block.commands:
        if reason(command, ELSEWHERE) is None:
            said = follow(command, request.getfixturevalue("place"))
            assert said is None, f"{sh_block.page}: {command}\n{said}"


def follow(command, place):
    """Carry a command out; what it says where it fails, else None."""
    command = command.replace("kubectl canary ", "kubectl-canary ").replace(".venv/bin/", "")
    words = shlex.split(command, comments=True)
    if words[0] in PROGRAMS:
        return ours(words, command, place)
    if words[0] == "make":
        words.insert(1, "--dry-run")
    if words[0] in ("kubectl", "helm") and shutil.which(words[0], path=PATH) is None:
        return missing(words[0])
    if words[:3] == ["kubectl", "rollout", "status"]:
        place.roll_out(namespace_of(words), words[3].removeprefix("deployment/"))
    if "serviceMonitor.enabled=true" in words:
        place.knows_prometheus_operator()
    if words[:2] == ["helm", "upgrade"]:
        typed("helm install canary-analyzer ./chart --namespace shop")
    return typed(shlex.join(words) if words[0] == "make" else command)


def typed(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    return None if done.returncode == 0 else done.stdout + done.stderr


def missing(tool):
    if os.environ.get("CI") == "true":
        return f"{tool} is not on PATH"
    pytest.skip(f"{tool} is not on PATH: make setup installs helm, kubernetes.io/docs/tasks/tools has kubectl")


def ours(words, command, place):
    words, output = (words[: words.index(">")], words[-1]) if ">" in words else (words, None)
    program, verb = PROGRAMS[words[0]], words[1]
    if reason(command, READ_ONLY) is not None:
        return read(get_command(program), words[1:])
    if verb in STANDING and "--all" not in words:
        numbered = re.search(r"flask-app-(\d+)", command)
        place.run(namespace_of(words), STANDING[verb], int(numbered[1]) if numbered else 1)
    place.roll_out(namespace_of(words), "flask-app")
    done = CliRunner().invoke(program, [each for word in words[1:] for each in sorted(glob(word)) or [word]])
    if output is not None:
        Path(output).write_text(done.stdout)
    return None if done.exit_code == 0 else f"{done.exit_code}: {done.output}{done.exception or ''}"


def read(program, words):
    """Read the words of one of our commands as it would; what is wrong with them, else None."""
    command = program
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    try:
        command.make_context(command.name, list(words))
    except Exception as error:
        return str(error)
    return None


@pytest.mark.parametrize("pattern", [*ELSEWHERE, *READ_ONLY])
def test_no_exception_outlives_its_commands(pattern, blocks, root):
    pages = [root / "README.md", *root.glob("docs/**/*.md")]
    commands = [
        command for page in pages for block in blocks(page) if block.language == "sh" for command in block.commands
    ]
    assert any(re.search(pattern, command) for command in commands)


def test_what_docker_is_told_to_build_is_there(blocks, root):
    for page in root.glob("docs/**/*.md"):
        for command in (each for block in blocks(page) for each in block.commands if each.startswith("docker build")):
            context = shlex.split(command)[-1]
            assert (root / context / "Dockerfile").exists(), command


def test_the_version_that_is_named_is_this_one(root):
    named = r"(?:canary-analyzer:|image\.tag=|canary_analyzer-)(\d+\.\d+\.\d+)"
    for page in root.glob("docs/**/*.md"):
        assert set(re.findall(named, page.read_text())) <= {__version__}, page


def test_a_newcomer_needs_one_command_to_install_and_one_to_release_and_no_yaml(blocks, root):
    page = root / "docs/quick-start.md"
    cluster = page.read_text().partition("## In your cluster")[2].partition("See what happens")[0]
    needed = [each for block in blocks(page) if block.text in cluster for each in block.commands]
    assert [each.split()[0] for each in needed] == ["docker", "docker", "helm", "kubectl"]
    assert "apply" not in cluster
    assert "```yaml" not in cluster
