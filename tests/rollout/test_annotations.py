import pytest

from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.annotations import CONFIG, IMAGE, PROFILE, STATUS, STRATEGY, Misannotated, parse
from canary_analyzer.rollout.policy import PROFILES

IMAGES = {
    "one container": ("app:v2", ["app"], {"app": "app:v2"}),
    "registry with port and digest": ("r.example:5000/app@sha256:ab", ["app"], {"app": "r.example:5000/app@sha256:ab"}),
    "named container": ("app=app:v2", ["app", "proxy"], {"app": "app:v2"}),
    "two containers": ("app=app:v2, proxy=proxy:v3", ["app", "proxy"], {"app": "app:v2", "proxy": "proxy:v3"}),
}


@pytest.mark.parametrize(("value", "containers", "images"), IMAGES.values(), ids=IMAGES)
def test_the_trigger_names_images_by_container(value, containers, images):
    assert parse({IMAGE: value}, containers, PROFILES).images == images


MISTAKES = {
    "several containers, none named": ({IMAGE: "app:v2"}, "several containers (app, proxy)"),
    "no such container": ({IMAGE: "web=app:v2"}, "no container 'web'"),
    "container named twice": ({IMAGE: "app=a:1,app=a:2"}, "named twice"),
    "empty": ({IMAGE: ""}, "names no image"),
    "no such profile": ({IMAGE: "app=a:1", PROFILE: "fast"}, "there is quick, standard, careful"),
    "no such strategy": ({IMAGE: "app=a:1", STRATEGY: "surprise"}, "use one of canary"),
    "config is not YAML": ({IMAGE: "app=a:1", CONFIG: "a: [1"}, "it is not YAML"),
    "config is no mapping": ({IMAGE: "app=a:1", CONFIG: "5"}, "write fields of the policy"),
    "aliases": ({IMAGE: "app=a:1", CONFIG: "a: &a [1, 1]\nb: [*a, *a]"}, "aliases (*name) are not accepted"),
    "nested beyond reason": ({IMAGE: "app=a:1", CONFIG: "[" * 5000}, "it is not YAML"),
    "no such date": ({IMAGE: "app=a:1", CONFIG: "tick_seconds: 2024-13-45"}, "it is not YAML"),
    "no number": ({IMAGE: "app=a:1", CONFIG: "tick_seconds: !!int ''"}, "it is not YAML: string index out of range"),
    "no truth": ({IMAGE: "app=a:1", CONFIG: "approve_before_promotion: !!bool x"}, "it is not YAML: 'x' (KeyError)"),
    "no time": ({IMAGE: "app=a:1", CONFIG: "tick_seconds: !!timestamp x"}, "it is not YAML"),
    "a number in sixties": ({IMAGE: "app=a:1", CONFIG: f"tick_seconds: 1{':1' * 300}.0"}, "it is not YAML"),
    "too long": ({IMAGE: "app=a:1", CONFIG: "#" * 20_000}, "20000 characters"),
    "unknown field": ({IMAGE: "app=a:1", CONFIG: "tick: 5"}, "tick: there is no such field"),
    "wrong type": ({IMAGE: "app=a:1", CONFIG: "tick_seconds: often"}, "tick_seconds = 'often'"),
    "out of range": ({IMAGE: "app=a:1", CONFIG: "analysis: {alpha: 2}"}, "alpha = 2"),
    "descending steps": ({IMAGE: "app=a:1", CONFIG: "steps: [{weight: 50}, {weight: 5}]"}, "[50, 5] do not ascend"),
    "misspelt annotation": ({IMAGE: "app=a:1", "canary-analyzer.io/profil": "quick"}, "there is no such annotation"),
}


@pytest.mark.parametrize(("found", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_names_the_annotation_the_value_and_the_remedy(found, says):
    with pytest.raises(Misannotated) as error:
        parse(found, ["app", "proxy"], PROFILES)
    assert len(error.value.mistakes) == 1
    assert says in error.value.mistakes[0]
    assert "canary-analyzer.io/" in error.value.mistakes[0]


def test_all_mistakes_are_reported_at_once():
    found = {IMAGE: "web=a:1", STRATEGY: "x", CONFIG: "{tick_seconds: -1, settle: 3}"}
    with pytest.raises(Misannotated) as error:
        parse(found, ["app"], PROFILES)
    assert len(error.value.mistakes) == 4


def test_the_config_annotation_replaces_fields_of_the_profile_and_leaves_the_others():
    found = {IMAGE: "app:v2", PROFILE: "quick", CONFIG: "analysis: {errors: {absolute: 0.01}}\ntick_seconds: 2"}
    policy = parse(found, ["app"], PROFILES).policy
    assert (policy.tick_seconds, policy.analysis.errors.absolute) == (2, 0.01)
    assert policy.steps == PROFILES["quick"].steps
    assert policy.analysis.errors.relative == PROFILES["quick"].analysis.errors.relative


def test_the_status_survives_its_round_trip_and_garbage_reads_as_none():
    line = annotations.status_line(run="app-1", phase="Aborted", weight=0, verdict="abort", reason='"quoted"\nreason')
    assert "\n" not in line
    assert annotations.status_of({"metadata": {"annotations": {STATUS: line}}})["reason"] == '"quoted"\nreason'
    assert annotations.status_of({"metadata": {"annotations": {STATUS: "{nonsense"}}}) == {}
    assert annotations.status_of({"metadata": {}}) == {}


def test_our_own_status_is_no_wish():
    found = {IMAGE: "app:v2", STATUS: "{}", "team": "payments"}
    assert annotations.wishes_of({"metadata": {"annotations": found}}) == {IMAGE: "app:v2"}
