"""`config`: what can be tuned, checked, shown with its source, and described for editors."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from canary_analyzer.cli import schemas
from canary_analyzer.cli.plugin import app as plugin
from canary_analyzer.cluster.client import CONFIGMAPS
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.sandbox import demo

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
JUDGES_OWN = {"analysis": {"metrics"}}
GOOD = "profiles: {night: {tick_seconds: 3, steps: [{weight: 50}, {pause: 3}]}}\nprometheus: {url: 'http://p:9090'}"


def run(*words):
    return CliRunner().invoke(plugin, ["config", *words])


def test_a_good_config_can_be_used(tmp_path):
    (tmp_path / "c.yaml").write_text(GOOD)
    told = run("check", str(tmp_path / "c.yaml"))
    assert (told.exit_code, told.stdout) == (0, f"{tmp_path}/c.yaml: can be used\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "workers: 0\nprometheus: {uri: x}\nprofiles: {quick: {analysis: {alpha: 2}}}",
            ["workers", "prometheus.uri", "alpha"],
            id="every mistake at once",
        ),
        pytest.param("a: [", ["not YAML"], id="no YAML"),
        pytest.param("- a", ["write fields"], id="no fields"),
    ],
)
def test_a_bad_config_is_told_all_its_mistakes(tmp_path, text, said):
    (tmp_path / "c.yaml").write_text(text)
    told = run("check", str(tmp_path / "c.yaml"), "--json")
    assert told.exit_code == 1
    mistakes = json.loads(told.stdout)["mistakes"]
    assert [any(part in mistake for mistake in mistakes) for part in said] == [True] * len(said)


def shown(canary, *words):
    told = canary("config", "show", "app", "--json", *words)
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


def test_each_value_in_force_names_its_source(shop, canary, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("profiles: {quick: {tick_seconds: 3, analysis: {alpha: 0.02, errors: {relative: 0.1}}}}")
    shop.annotate(profile="quick", config="analysis: {alpha: 0.03}\nsettle_seconds: 4")
    policy = shown(canary, "--config", str(config))["policy"]
    in_file, in_annotation = f"{config}: profiles.quick", "annotation config"
    assert policy["tick_seconds"] == {"value": 3, "source": in_file}
    assert policy["analysis.errors.relative"] == {"value": 0.1, "source": in_file}
    assert policy["analysis.alpha"] == {"value": 0.03, "source": in_annotation}
    assert policy["settle_seconds"] == {"value": 4, "source": in_annotation}
    assert policy["start_seconds"] == {"value": 60, "source": "built-in profile quick"}
    assert len(shown(canary, "--config", str(config), "--changed")["policy"]) == 4


def test_a_profile_of_ones_own_is_laid_upon_standard(shop, canary, tmp_path):
    (tmp_path / "c.yaml").write_text(GOOD)
    shop.annotate(profile="night")
    policy = shown(canary, "--config", str(tmp_path / "c.yaml"))["policy"]
    assert policy["start_seconds"]["source"] == "built-in profile standard"


def test_the_services_configmap_is_found_by_its_label(shop, canary):
    labels = {"app.kubernetes.io/name": "canary-analyzer"}
    metadata = {"name": "ca", "namespace": "kube-system", "labels": labels}
    shop.cluster.create(
        CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config.yaml": GOOD}}
    )
    shop.annotate(profile="night")
    assert shown(canary)["policy"]["tick_seconds"]["source"] == "ConfigMap kube-system/ca: profiles.night"


def test_annotations_that_do_not_parse_are_told(shop, canary):
    shop.annotate(config="tick_seconds: -1\nsetle: 1")
    told = canary("config", "show", "app")
    assert told.exit_code == 3
    assert "tick_seconds" in told.stderr
    assert "setle" in told.stderr


STEERING = {
    "the name of a field": '"\\e]0;pwned\\a\\e[2J": 1',
    "a field of the judge": 'analysis: {"\\e[2J": 1}',
    "a line that is no YAML": "steps: [\u202e",
}


@pytest.mark.parametrize("config", STEERING.values(), ids=STEERING)
def test_what_others_wrote_steers_no_terminal_when_it_is_told(shop, canary, config):
    shop.annotate(config=config)
    told = canary("config", "show", "app")
    assert told.exit_code == 3
    assert all(each.isprintable() for each in told.stderr.replace("\n", "")), repr(told.stderr)


def test_schemas_accept_what_we_ship_and_refuse_mistakes():
    jsonschema.validate(yaml.safe_load(GOOD), schemas.config_schema())
    example = Path(demo.__file__).parent / "config.yaml"
    jsonschema.validate(yaml.safe_load(example.read_text()), schemas.config_schema())
    for policy in PROFILES.values():
        jsonschema.validate(policy.model_dump(mode="json", exclude=JUDGES_OWN), schemas.annotation_schema())
    for wrong in ({"tick_seconds": 0}, {"setle": 1}, {"steps": [{"weight": 101}]}, {"analysis": {"alpha": "x"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schemas.annotation_schema())


@pytest.mark.parametrize(
    ("name", "words"), [("config.schema.json", ["schema"]), ("policy.schema.json", ["schema", "--annotation"])]
)
def test_the_schemas_in_the_docs_are_current(name, words):
    written = (REFERENCE / name).read_text()
    assert run(*words).stdout == written, f"kubectl canary config {' '.join(words)} > docs/reference/{name}"
