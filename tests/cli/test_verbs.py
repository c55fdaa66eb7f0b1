"""What holds for every verb: help with an example, one sentence when it fails, an exit code of its own."""

from pathlib import Path

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from canary_analyzer import __version__
from canary_analyzer.cli.app import app
from canary_analyzer.cli.plugin import app as plugin
from canary_analyzer.cli.waits import STAGES
from canary_analyzer.cluster import records
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import PROGRAMS
from canary_analyzer.rollout.run import RouteRef


def commands(command, path=()):
    """Every command that does something, with the words that lead to it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from commands(each, (*path, name))


EVERY = [
    pytest.param(which, words, id=" ".join([name, *words]))
    for name, which in (("kubectl canary", plugin), ("canary-analyzer", app))
    for words, command in commands(get_command(which))
    if not command.hidden
]


@pytest.mark.parametrize(("which", "words"), EVERY)
def test_every_verb_has_help_with_an_example(which, words):
    told = CliRunner().invoke(which, [*words, "--help"], env={"COLUMNS": "120"})
    assert told.exit_code == 0
    example = told.output[told.output.index("Example") :]
    assert any(f"{program} {' '.join(words)}" in example for program in ("kubectl canary", "canary-analyzer"))


@pytest.mark.parametrize("words", [["--version"], ["version"]], ids=" ".join)
@pytest.mark.parametrize("which", [app, plugin], ids=["canary-analyzer", "kubectl canary"])
def test_the_version_is_told_to_whoever_asks_in_either_way(which, words):
    told = CliRunner().invoke(which, words)
    assert (told.exit_code, told.output) == (0, f"{__version__}\n")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["frobnicate"], id="no such verb"),
        pytest.param(["status"], id="no Deployment"),
        pytest.param(["list", "--colour"], id="no such option"),
        pytest.param(["history", "app", "--limit", "0"], id="value out of range"),
        pytest.param(["wait", "app", "--timeout", "soon"], id="no duration"),
        pytest.param(["wait", "app", "--for", "godot"], id="nothing to wait for"),
        pytest.param(["start", "app", "--image", "app:v2", "--set", "tick_seconds"], id="no FIELD=VALUE"),
        pytest.param(["abort"], id="neither one nor all"),
        pytest.param(["status", "nope"], id="no such Deployment"),
        pytest.param(["explain", "nope-1"], id="no such run"),
        pytest.param(["hold", "app"], id="no run under way"),
        pytest.param(["watch", "app"], id="nothing to watch"),
        pytest.param(["list", "--kubeconfig", "/nowhere"], id="no kubeconfig"),
        pytest.param(["list", "--context", "nowhere"], id="no such context"),
    ],
)
def test_trouble_is_one_sentence_and_exit_code_3_which_no_run_has(shop, canary, words):
    told = canary(*words)
    assert told.exit_code == 3
    assert told.stdout == ""
    assert told.stderr
    assert "Traceback" not in told.stderr


RIGHTS = Path(__file__).parents[2] / "docs/ci-cd/pipeline-role.yaml"
ELSEWHERE = ("not checked: namespaces (forbidden)", "not checked: virtualservices of other namespaces (forbidden)")
"""What no Role of a namespace can let one read."""
IN_TURN = (
    ["start", "app", "--image", "app:v2", "--dry-run"],
    ["diff", "app", "--image", "app:v2"],
    ["config", "show", "app"],
    ["list"],
    ["status", "app"],
    ["hold", "app"],
    ["resume", "app"],
    ["promote", "app"],
    ["abort", "app"],
    ["history", "app"],
    ["explain", "app-1"],
    ["report", "app-1", "-o", "-"],
)


def test_the_role_for_users_suffices_for_every_verb_and_gives_nothing_that_none_uses(shop, canary, emulator, tmp_path):
    (role,) = (each for each in yaml.safe_load_all(RIGHTS.read_text()) if each["kind"] == "Role")
    rules = [(group, rule["resources"], rule["verbs"]) for rule in role["rules"] for group in rule["apiGroups"]]
    user = emulator.user("developer", *rules)
    for words in IN_TURN:
        if words == ["list"]:
            shop.run()
        told = canary(*words, kubeconfig=user)
        assert told.exit_code == 0, (words, told.stderr)
        assert not [line for line in told.stderr.splitlines() if "forbidden" in line and line not in ELSEWHERE], words
    routes = (RouteRef(kind="HTTPRoute", namespace="default", name="app"),)
    shop.becomes(records.active(shop.cluster, "default")[0], Phase.AWAITING_APPROVAL, routes=routes)
    assert [canary(verb, "app", kubeconfig=user).exit_code for verb in ("status", "approve")] == [0, 0]
    shop.becomes(records.active(shop.cluster, "default")[0], Phase.SUCCEEDED)
    assert [canary(verb, "app", kubeconfig=user).exit_code for verb in ("watch", "wait")] == [0, 0]
    (tmp_path / "config.yaml").write_text("routing: gateway-api")
    canary("start", "app", "--image", "app:v3", "--dry-run", "--config", tmp_path / "config.yaml", kubeconfig=user)
    given = {(group, thing, verb) for group, things, verbs in rules for thing in things for verb in verbs}
    assert given - emulator.used("developer") == set()


def test_a_cluster_that_is_not_there_is_told_with_what_helps(canary, tmp_path):
    nowhere = tmp_path / "nowhere"
    nowhere.write_text(
        """{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}],
        clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}], users: [{name: u, user: {}}]}"""
    )
    told = canary("list", kubeconfig=nowhere)
    assert told.exit_code == 3
    assert "is the cluster reachable" in told.stderr


def test_every_stage_that_a_run_can_be_at_has_words():
    assert {stage.name for program in PROGRAMS.values() for stage in program} == set(STAGES)
