"""`start` checks before it writes, with the rights of whoever asks."""

import json

import pytest
import yaml

from canary_analyzer.cluster.client import VIRTUAL_SERVICES
from canary_analyzer.rollout.phases import Phase

READ = ["get", "list"]


def version(shop):
    return shop.deployment()["metadata"]["resourceVersion"]


def recreate(shop):
    shop.edit({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})
    shop.roll_out()


def idle(shop):
    shop.edit({"spec": {"replicas": 0}})
    shop.roll_out()


@pytest.mark.parametrize(
    ("make", "words", "because"),
    [
        pytest.param(lambda shop: None, ["--image", "app:v1"], "already runs app:v1", id="runs already"),
        pytest.param(idle, [], "has 0 replicas", id="no replicas"),
        pytest.param(lambda shop: shop.roll_out(updatedReplicas=1), [], "not fully rolled out", id="not rolled out"),
        pytest.param(recreate, [], "strategy Recreate", id="Recreate"),
        pytest.param(
            lambda shop: shop.cluster.delete(VIRTUAL_SERVICES, "default", "app"), [], "VirtualService", id="no route"
        ),
        pytest.param(lambda shop: None, ["--strategy", "big-bang"], "use one of canary", id="no such strategy"),
        pytest.param(lambda shop: None, ["--image", "web=app:v2"], "no container 'web'", id="no such container"),
        pytest.param(lambda shop: None, ["--set", "tick_seconds=-1"], "tick_seconds", id="bad field"),
        pytest.param(lambda shop: shop.run(), [], "app-1 is under way", id="another run"),
        pytest.param(lambda shop: shop.annotate(baseline="web"), [], "the canary of web", id="itself a canary"),
    ],
)
def test_what_would_be_refused_is_told_before_anything_is_written(shop, canary, make, words, because):
    make(shop)
    before = version(shop)
    told = canary("start", "app", *(words if "--image" in words else ["--image", "app:v2", *words]))
    assert told.exit_code == 1
    assert because in told.stderr
    assert "nothing was written" in told.stderr
    assert version(shop) == before


def test_all_objections_are_told_at_once(shop, canary):
    idle(shop)
    told = canary("start", "app", "--image", "app:v1", "--strategy", "x", "--set", "a=1", "--json")
    refused = json.loads(told.stdout)["refused"]
    parts = ("0 replicas", "'x'", "a: there is no such field")
    assert [any(part in each for each in refused) for part in parts] == [True] * 3


def test_a_wish_is_written_with_all_that_it_asks_for(shop, canary):
    shop.annotate(config="tick_seconds: 3\nsettle_seconds: 4\n", approve="app-1", promote="app-1")
    asked = ["--profile", "quick", "--strategy", "blue-green", "--set", "tick_seconds=5"]
    told = canary("start", "deployment/app", "--image", "app=app:v2", *asked, "--set", "analysis.errors.relative=0.25")
    assert told.exit_code == 0
    notes = shop.notes()
    assert (notes["image"], notes["profile"], notes["strategy"]) == ("app=app:v2", "quick", "blue-green")
    wanted = {"tick_seconds": 5, "settle_seconds": 4, "analysis": {"errors": {"relative": 0.25}}}
    assert yaml.safe_load(notes["config"]) == wanted
    assert notes["request"]
    assert not {"approve", "promote"} & notes.keys()  # they were about an earlier run


def test_each_wish_has_a_stamp_of_its_own(shop, canary):
    stamps = set()
    for _ in range(2):
        assert canary("start", "app", "--image", "app:v2").exit_code == 0
        shop.roll_out()
        stamps.add(shop.notes()["request"])
    assert len(stamps) == 2


def test_a_dry_run_writes_nothing(shop, canary):
    before = version(shop)
    told = canary("start", "app", "--image", "app:v2", "--dry-run")
    assert (told.exit_code, version(shop)) == (0, before)
    assert "can start" in told.stdout


def test_what_one_may_not_see_is_told_as_not_checked(shop, canary, emulator):
    user = emulator.user(
        "dev", ("apps", ["deployments"], [*READ, "patch"]), ("", ["services"], READ), ("", ["configmaps"], READ)
    )
    told = canary("start", "app", "--image", "app:v2", kubeconfig=user)
    assert told.exit_code == 0
    assert "not checked: virtualservices (forbidden)" in told.stderr
    assert "not checked: networkpolicies (forbidden)" in told.stderr
    assert shop.notes()["image"] == "app:v2"


def test_what_can_be_checked_with_few_rights_is_checked(shop, canary, emulator):
    user = emulator.user("dev", ("apps", ["deployments"], [*READ, "patch"]))
    told = canary("start", "app", "--image", "app:v1", "--strategy", "x", kubeconfig=user)
    assert told.exit_code == 1
    assert "use one of canary" in told.stderr


def test_who_may_not_write_is_told_which_right_is_missing(shop, canary, emulator):
    user = emulator.user("reader", ("apps", ["deployments"], READ))
    told = canary("start", "app", "--image", "app:v2", kubeconfig=user)
    assert told.exit_code == 3
    assert "403" in told.stderr
    assert "ask for this right" in told.stderr


def test_the_services_config_says_which_profiles_there_are(shop, canary, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("profiles: {night: {tick_seconds: 3}}")
    asked = ["start", "app", "--image", "app:v2", "--profile", "night", "--dry-run"]
    unknown = canary(*asked)
    assert unknown.exit_code == 0
    assert "not checked: profile night" in unknown.stderr
    assert "not checked" not in canary(*asked, "--config", str(config)).stderr
    refused = canary("start", "app", "--image", "app:v2", "--profile", "day", "--config", str(config))
    assert refused.exit_code == 1
    assert "there is no such profile" in refused.stderr


def test_waiting_for_a_wish_follows_this_wish_and_no_older_run(shop, canary):
    shop.run(Phase.SUCCEEDED)
    told = canary("start", "app", "--image", "app:v3", "--wait", "--timeout", "0s", "--json")
    assert told.exit_code == 124
    assert json.loads(told.stdout)["reason"] == "no service has taken it up yet"


def test_diff_shows_what_is_made_and_changed(shop, canary):
    before = version(shop)
    told = canary("diff", "app", "--image", "app:v2", "--set", "steps=[{weight: 20}]")
    assert told.exit_code == 0
    assert "+++ Deployment app-canary for the time of the run" in told.stdout
    assert "+++ VirtualService default/app at 20 %" in told.stdout
    assert "+      weight: 20" in told.stdout
    assert "-        image: app:v1\n+        image: app:v2" in told.stdout
    assert version(shop) == before


def test_diff_of_what_would_be_refused_says_why(shop, canary):
    told = canary("diff", "app", "--image", "app:v1")
    assert told.exit_code == 1
    assert "already runs" in told.stderr
