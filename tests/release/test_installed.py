"""The wheel in an environment of its own: all it needs comes by the hashes of the lock, and both commands run."""

import json
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement

from canary_analyzer import __version__

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 60


def needed(requirements):
    """Names of what these requirements install, as it is installed here."""
    found, left = set(), [Requirement(each) for each in requirements]
    while left:
        one = left.pop()
        name = re.sub(r"[-_.]+", "-", one.name).lower()
        if name not in found:
            found.add(name)
            inner = map(Requirement, metadata.requires(one.name) or ())
            left += [each for each in inner if holds(each, one.extras or {""})]
    return found


def holds(requirement, extras):
    """Whether a requirement of a package is one with some of its extras."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def lock_of(names):
    """The entries of these packages in the lock, with their hashes."""
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text())
    return "\n".join(entry for entry in entries if re.split(r"[=\[]", entry)[0] in names) + "\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An environment with nothing but the wheel of the sdist, its extra `sandbox`, and what these need, by hash."""
    folder = tmp_path_factory.mktemp("empty")
    run = {"check": True, "capture_output": True, "timeout": 600}
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder], cwd=ROOT, **run)
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        sdist.extractall(folder, filter="data")
    [source] = (path for path in folder.iterdir() if path.is_dir())
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=source, **run)
    [made] = folder.glob("*.whl")
    with zipfile.ZipFile(made) as wheel:
        about = Parser().parsestr(wheel.read(f"canary_analyzer-{__version__}.dist-info/METADATA").decode())
    wanted = [Requirement(each) for each in about.get_all("Requires-Dist")]
    chosen = [each for each in wanted if holds(each, {"sandbox"})]
    (folder / "lock").write_text(lock_of(needed(f"{each.name}{each.specifier}" for each in chosen)))
    venv.create(folder / "venv", with_pip=True)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "--requirement", folder / "lock"], **run)
    subprocess.run([*pip, "--no-deps", made], **run)
    return folder / "venv/bin"


def test_the_commands_run_from_an_environment_that_holds_nothing_else(installed, tmp_path):
    def told(*command):
        answer = subprocess.run(
            [installed / command[0], *command[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=120, env={}
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    told("python", "-m", "pip", "check")
    for command in ("canary-analyzer", "kubectl-canary"):
        assert told(command, "--version") == told(command, "version") == f"{__version__}\n"
        assert "Examples:" in told(command, "start", "--help")
    assert "canary_analyzer" in told("python", "-c", "import canary_analyzer.service.serve as s; print(s.__file__)")


def test_the_sandbox_comes_up_from_it_and_the_app_answers(installed, tmp_path):
    """Prometheus is no Python package: the one that setup has unpacked is put on PATH, and nothing else of ours."""
    (tmp_path / "bin").mkdir()
    beside = Path(sys.executable).with_name("prometheus")
    if beside.exists():
        (tmp_path / "bin/prometheus").symlink_to(beside)
    environment = {"PATH": f"{tmp_path}/bin:{installed}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [installed / "canary-analyzer", "sandbox", "up", "--json", "--load", "20"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log)
    try:
        line = process.stdout.readline()
        assert line, (tmp_path / "log").read_text()
        addresses = json.loads(line)
        answer = requests.get(addresses["ingress"], headers={"Host": "flask-app"}, timeout=10)
        assert (answer.status_code, answer.json()["version"]) == (200, "v1")
        listed = [installed / "kubectl-canary", "list", "--json", "--kubeconfig", addresses["kubeconfig"]]
        assert json.loads(subprocess.run(listed, env=environment, capture_output=True, check=True).stdout) == []
    finally:
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
