import pytest

from canary_analyzer.rollout.annotations import CONFIG, IMAGE, STRATEGY
from canary_analyzer.rollout.plan import Offers, Refused, Surroundings
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.rollout.rolling_plan import plan


def deployment(**annotations):
    template = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": "app:v1"}]}}
    asked = {IMAGE: "app:v2", STRATEGY: "rolling", **annotations}
    return {
        "metadata": {"name": "app", "namespace": "default", "uid": "u-1", "annotations": asked},
        "spec": {"replicas": 3, "template": template},
    }


@pytest.fixture
def bare(make):
    """A namespace with a Deployment and nothing else."""
    nothing = dict.fromkeys(("services", "routes", "destination_rules", "neighbours", "deployments"), ())
    return Surroundings(workload=make.workload(), **nothing)


def test_neither_service_nor_route_is_needed(bare):
    run = plan(deployment(), bare, Offers(profiles=PROFILES), 1, 0.0)
    assert (run.rolling.pace_seconds, run.rolling.found_seconds, run.routes) == (60, None, ())


def test_what_a_rolling_update_cannot_stop_for_is_refused_with_all_other_objections(bare):
    asked = deployment(**{CONFIG: "{approve_before_promotion: true, webhooks: {promotion: [load-test]}}"})
    asked["spec"]["paused"] = True
    with pytest.raises(Refused) as refused:
        plan(asked, bare, Offers(profiles=PROFILES, webhooks=frozenset({"load-test"})), 1, 0.0)
    told = str(refused.value)
    assert len(refused.value.reasons) == 3
    assert all(word in told for word in ("is paused", "approve_before_promotion", "webhooks.promotion"))


def test_a_pace_at_which_no_batch_would_be_seen_is_refused_only_where_it_matters(bare):
    asked = deployment(**{CONFIG: "{tick_seconds: 30}"})
    with pytest.raises(Refused, match="seen after 70 s only"):
        plan(asked, bare, Offers(profiles=PROFILES), 1, 0.0)
    assert plan(
        deployment(**{CONFIG: "{tick_seconds: 30, rolling: {pace_seconds: 0}}"}),
        bare,
        Offers(profiles=PROFILES),
        1,
        0.0,
    )
