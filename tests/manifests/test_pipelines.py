"""The pipelines and GitOps objects of the documentation: YAML that parses, commands and options that exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from canary_analyzer.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"
FILES = sorted([*DOCS.glob("ci-cd/*.yaml"), *DOCS.glob("gitops/*.yaml")])
COMMAND = re.compile(r"kubectl[ -]canary (?P<words>[a-z]+ .*)")
VERBS = typer.main.get_command(app).commands


def texts(value):
    """All strings in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def commands(path):
    """Every use of the plugin in a file, as words."""
    lines = [line for document in documents(path) for text in texts(document) for line in text.splitlines()]
    found = [match["words"] for line in lines if (match := COMMAND.search(line))]
    return [shlex.split(re.split(r"[;>]", each)[0]) for each in found]


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_command_of_the_plugin_exists_with_its_options(path):
    for verb, *words in commands(path):
        known = {option for parameter in VERBS[verb].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, verb


@pytest.mark.parametrize("name", ["github-actions", "gitlab-ci"])
def test_a_pipeline_starts_waits_and_reports(name):
    verbs = [words[0] for words in commands(DOCS / f"ci-cd/{name}.yaml")]
    assert verbs[:2] == ["start", "wait"]
    assert {"abort", "report"} <= set(verbs)


def test_a_github_job_reports_whatever_the_verdict():
    (workflow,) = documents(DOCS / "ci-cd/github-actions.yaml")
    steps = {step.get("name", ""): step for step in workflow["jobs"]["canary"]["steps"]}
    assert steps["Report"]["if"] == "always()"
    assert steps["Take it back"]["if"] == "cancelled()"


def test_argo_cd_leaves_alone_what_a_run_writes():
    (application,) = documents(DOCS / "gitops/argocd-application.yaml")
    assert "RespectIgnoreDifferences=true" in application["spec"]["syncPolicy"]["syncOptions"]
    kinds = {each["kind"] for each in application["spec"]["ignoreDifferences"]}
    assert kinds == {"VirtualService", "HTTPRoute", "Deployment", "HorizontalPodAutoscaler"}


def test_a_pipeline_may_annotate_deployments_and_write_nothing_else():
    (role,) = (each for each in documents(DOCS / "ci-cd/pipeline-role.yaml") if each["kind"] == "Role")
    writing = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert {each for each in writing if each[1] not in ("get", "list")} == {("deployments", "patch")}
