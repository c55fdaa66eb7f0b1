"""What a release is made of: wheel, sdist, bill of materials, workflows, the version and the list of changes."""

import json
import os
import re
import runpy
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hatchling import build

from canary_analyzer import __version__

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yaml")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel as the checkout makes it."""
    folder, before = tmp_path_factory.mktemp("wheel"), Path.cwd()
    os.chdir(ROOT)
    try:
        return folder / build.build_wheel(str(folder))
    finally:
        os.chdir(before)


def script(name):
    return runpy.run_path(str(ROOT / f".ci/release/{name}.py"))


def test_the_wheel_has_both_commands_and_all_that_they_read(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = f"canary_analyzer-{__version__}.dist-info"
        entries = archive.read(f"{about}/entry_points.txt").decode()
        told = Parser().parsestr(archive.read(f"{about}/METADATA").decode())
    assert "canary-analyzer = canary_analyzer.cli:main" in entries
    assert "kubectl-canary = canary_analyzer.cli.plugin:main" in entries
    assert (told["Version"], told["License-Expression"]) == (__version__, "Apache-2.0")
    ours = (
        path for path in (ROOT / "canary_analyzer").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    assert {str(path.relative_to(ROOT)) for path in ours} <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "chart/"))]


def test_the_version_is_written_in_one_place():
    pattern = re.compile(rf"(?<![\w.]){re.escape(__version__)}(?![\w.])")
    others = ("pyproject.toml", "Makefile", ".ci/release/sbom.py", ".github/workflows/release.yaml")
    assert not [path for path in others if pattern.search((ROOT / path).read_text())]


def test_the_list_of_changes_has_the_form_that_tools_read():
    text = (ROOT / "CHANGELOG.md").read_text()
    newest, *released = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert newest == "[Unreleased]" or __version__ in newest
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", each) for each in released)
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


CHANGES = """\
# Changelog

## [Unreleased]

## [0.2.0] - 2026-01-02

### Added

- A thing.

## [0.1.0] - 2026-01-01

- First.
"""


@pytest.mark.parametrize(
    ("version", "notes"), [("0.2.0", "### Added\n\n- A thing.\n"), ("0.1.0", "- First.\n")], ids=["newest", "oldest"]
)
def test_a_release_says_what_the_list_of_changes_says_of_it(version, notes):
    assert script("notes")["section"](CHANGES, version) == notes


@pytest.mark.parametrize("version", ["0.3.0", "Unreleased", "0.1"])
def test_a_version_of_which_nothing_is_said_is_not_released(version):
    with pytest.raises(ValueError, match="give the version a heading"):
        script("notes")["section"](CHANGES, version)


def test_the_bill_of_materials_lists_all_of_the_image_and_is_what_cyclonedx_says_it_is():
    lock = (ROOT / "requirements-service.lock").read_text()
    text = script("sbom")["document"](lock)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert document["metadata"]["component"]["version"] == __version__
    listed = {each["purl"]: each["hashes"] for each in document["components"]}
    pinned = set(re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", lock, re.MULTILINE))
    assert listed.keys() == {f"pkg:pypi/{name}@{version}" for name, version in pinned}
    assert all(listed.values())


def steps():
    jobs = [job for workflow in WORKFLOWS.values() for job in workflow["jobs"].values()]
    return [step for job in jobs for step in job.get("steps", ())]


def test_workflows_use_actions_by_commit_alone():
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", each) for each in used)


def test_every_change_is_checked_as_a_developer_checks_it():
    assert [step["run"] for step in WORKFLOWS["ci"]["jobs"]["run"]["steps"] if "run" in step] == [".ci/run"]
    assert WORKFLOWS["release"]["jobs"]["check"]["uses"] == "./.github/workflows/ci.yaml"
    assert WORKFLOWS["release"]["jobs"]["release"]["needs"] == "check"


def test_what_takes_too_long_for_every_change_is_made_each_night():
    job = WORKFLOWS["nightly"]["jobs"]["make"]
    targets = job["strategy"]["matrix"]["target"]
    assert set(targets) == {"chaos", "chaos-replicas", "soak", "bench-scale"}
    assert not job["strategy"]["fail-fast"]
    assert job["steps"][-1]["run"] == 'make "$TARGET"'
    assert set(targets) <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert WORKFLOWS["nightly"][True]["schedule"]  # YAML's `on` is a boolean


def test_workflows_put_no_text_of_others_into_a_shell():
    assert not [step for step in steps() if "${{" in step.get("run", "")]


def test_what_a_release_makes_is_what_make_dist_makes():
    made = (ROOT / "Makefile").read_text()
    [recipe] = re.findall(r"^dist:.*\n((?:\t.*\n)+)", made, re.MULTILINE)
    for part in ("hatchling build", ".ci/release/sbom.py", "helm package"):
        assert part in recipe
    assert any(step.get("run") == "make dist" for step in steps())
