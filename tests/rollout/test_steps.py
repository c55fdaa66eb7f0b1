"""What a ramp may contain: every kind of step driven through the decisions, on a cluster that obeys."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from canary_analyzer.analysis import Decision, MetricState, MetricVerdict
from canary_analyzer.rollout.decide import begin
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.policy import PROFILES, mistakes, override
from canary_analyzer.rollout.view import Autoscaler, Wishes
from driving import SHORT, WEIGHT, drive, start

RAMPS = {
    "mirrored requests end with their step": ([{"mirror": 20, "seconds": 5}, WEIGHT], ["0 mirror", "50"]),
    "testers first": ([{"match": {"headers": {"x-tester": "yes"}}, "seconds": 5}, WEIGHT], ["0 match", "50"]),
    "a pause leaves the traffic as it is": ([{"weight": 10, **SHORT}, {"pause": 20}, WEIGHT], ["10", "50"]),
    "all users at the end": ([WEIGHT, {"weight": 100, **SHORT}], ["50", "100"]),
}


@pytest.mark.parametrize(("steps", "traffic"), RAMPS.values(), ids=RAMPS)
def test_each_step_states_what_the_canary_gets(make, healthy, steps, traffic):
    ended = drive(start(make, steps=steps), healthy)
    assert ended.phase is Phase.SUCCEEDED
    assert set_traffic(healthy) == ["0", *traffic, "0"]


def set_traffic(world):
    return [entry.removeprefix("SetTraffic ") for entry in world.log if entry.startswith("SetTraffic")]


def test_only_requests_of_the_same_users_count_for_the_verdict(make, healthy):
    steps = [{"mirror": 20, "seconds": 5}, {"match": {"cookie": ["tester", "1"]}, "seconds": 5}, WEIGHT]
    ended = drive(start(make, steps=steps), healthy)
    assert len(ended.windows) == 1


def test_sessions_stick_at_every_weight_of_the_ramp(make, healthy):
    seen = []
    drive(
        start(make, steps=[{"weight": 10, **SHORT}, WEIGHT], sticky={"cookie": "v"}),
        healthy,
        each=lambda run, *_: seen.append(run.traffic.sticky),
    )
    assert {(sticky.cookie, sticky.bounds, sticky.run) for sticky in seen if sticky} == {("v", (10, 50), "app-1")}


def test_every_approval_wants_an_annotation_of_its_own(make, healthy):
    asked = []

    def approve_once(run, world, now):
        if run.phase is Phase.AWAITING_APPROVAL and run.step not in asked:
            asked.append(run.step)
            world.wishes = Wishes(trigger="app:v2", approve=run.name)

    run = start(make, steps=[{"approval": True}, WEIGHT, {"approval": True}])
    assert drive(run, healthy, each=approve_once).phase is Phase.SUCCEEDED
    assert asked == [0, 2]
    assert healthy.log.count("TakeApproval") == 1  # the last one is taken with the trigger, when the run is closed


def test_one_approval_is_never_two(make, healthy):
    def approve_the_first(run, world, now):
        if run.phase is Phase.AWAITING_APPROVAL and run.step == 0:
            world.wishes = Wishes(trigger="app:v2", approve=run.name)

    run = start(make, steps=[{"approval": True}, WEIGHT, {"approval": True}])
    waiting = drive(run, healthy, each=approve_the_first)
    assert (waiting.phase, waiting.step) == (Phase.AWAITING_APPROVAL, 2)


def test_the_time_that_an_approval_takes_is_not_the_run_s(make, healthy):
    def approve_late(run, world, now):
        if run.phase is Phase.AWAITING_APPROVAL and len(run.timeline) and world.waited > 150:
            world.wishes = Wishes(trigger="app:v2", approve=run.name)
        world.waited += 1

    healthy.waited = 0
    run = start(make, steps=[{"approval": True}, WEIGHT], deadline_seconds=60)
    assert drive(run, healthy, until=400, each=approve_late).phase is Phase.SUCCEEDED


def test_a_fresh_baseline_gets_what_the_canary_gets_and_leaves_with_it(make, healthy):
    healthy.wants_fresh = True
    fresh = {"name": "app-baseline", "service": "app-baseline", "label": "baseline"}
    run = begin(make.run(fresh=fresh, policy=make.policy(baseline="fresh")), now=0.0)
    assert drive(run, healthy).phase is Phase.SUCCEEDED
    assert set_traffic(healthy) == ["0", "10 baseline", "50 baseline", "0"]
    assert (healthy.canary, healthy.fresh) == (None, None)


# The autoscaler ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("judged", [Decision.HEALTHY, Decision.ABORT])
def test_stable_cannot_shrink_from_before_the_first_weight_until_traffic_is_back(make, judged):
    world = make.world(autoscaler=Autoscaler(minimum=1, maximum=10, held=False))

    def judge(run, world, now):
        world.verdict = make.verdict(judged) if run.weight == 50 else None

    drive(start(make, steps=[WEIGHT]), world, each=judge)
    assert world.log.index("HoldFloor") < world.log.index("SetTraffic 50")
    assert world.log.index("RestoreRoutes") < world.log.index("ReleaseFloor") < world.log.index("DeleteCanary")


def test_an_autoscaler_that_comes_while_the_canary_has_its_last_weight_cannot_shrink_stable_either(make):
    world = make.world()

    def appear(run, world, _):
        if run.stage == "analyse" and world.autoscaler is None:
            world.autoscaler = Autoscaler(minimum=1, maximum=10, held=False)
        world.verdict = make.verdict(Decision.HEALTHY)

    assert drive(start(make, steps=[WEIGHT]), world, each=appear).phase is Phase.SUCCEEDED
    assert world.log.index("SetTraffic 50") < world.log.index("HoldFloor") < world.log.index("PatchStable")
    assert "ReleaseFloor" in world.log


# Mistakes ----------------------------------------------------------------------------------------------------------

MISTAKES = {
    "a URL is no name": ({"webhooks": {"step": ["https://evil.example/"]}}, "a URL is not accepted here"),
    "a URL in a step": ({"steps": [{"gate": "http://x"}, WEIGHT]}, "steps.0.gate = 'http://x': a URL is not accepted"),
    "no such step": ({"steps": [{"wait": 5}, WEIGHT]}, "steps.0: a step has one of the fields weight, mirror"),
    "no weight": ({"steps": [{"pause": 5}]}, "there is no weight among them"),
    "nobody is matched": ({"steps": [{"match": {}}, WEIGHT]}, "it names nobody"),
    "nothing to compare with": ({"steps": [{"weight": 100}]}, "leaves no baseline"),
    "a cookie that brings another": (
        {"sticky": {"cookie": "a=b; Domain=evil\r\nX: y"}},
        r"sticky.cookie = 'a=b; Domain=evil\r\nX: y': names of cookies and headers have letters, digits",
    ),
    "a cookie without a name": ({"sticky": {"cookie": ""}}, "sticky.cookie = '': names of cookies"),
    "testers by no cookie": ({"steps": [{"match": {"cookie": ["a;b", "1"]}}, WEIGHT]}, "match.cookie.0 = 'a;b': names"),
    "testers by no header": ({"steps": [{"match": {"headers": {"x y": "1"}}}, WEIGHT]}, "= 'x y': names of cookies"),
    "longer than the deadline": ({"deadline_seconds": 60}, "the steps alone take 240 s"),
    "a look a day": ({"tick_seconds": 86400}, "tick_seconds = 86400: guardrails and deadline are looked at once"),
    "a look when the sun is cold": ({"tick_seconds": 1e300}, "give 1 to 300 seconds"),
    "looks without end": ({"tick_seconds": 0.001}, "give 1 to 300 seconds"),
    "a tick longer than a step": ({"tick_seconds": 90}, "tick_seconds = 90: longer than the step of weight 5 (60 s)"),
    "a tick longer than the analysis": (
        {"tick_seconds": 20, "blue_green": {"analysis_seconds": 15}},
        "longer than blue_green.analysis_seconds (15 s), which would be over before it was looked at; give at most 15",
    ),
    "users in the preview": ({"blue_green": {"preview": [WEIGHT]}}, "a weight moves users"),
    "no room for a fresh baseline": (
        {"baseline": "fresh", "steps": [{"weight": 60}]},
        "[60] are too much: at most 50",
    ),
}


@pytest.mark.parametrize(("fields", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_ramp_that_cannot_be_meant_is_refused(fields, says):
    with pytest.raises(ValidationError) as error:
        override(PROFILES["standard"], fields)
    assert any(says in mistake for mistake in mistakes(error.value)), mistakes(error.value)


# The adaptive ramp -------------------------------------------------------------------------------------------------

CLIMB = {"first": 2, "largest": 20, "seconds": 5, "requests": 1, "healthy_seconds": 10, "soak_seconds": 20}


def test_an_adaptive_ramp_climbs_within_its_budget_between_the_other_steps(make, healthy):
    within = MetricVerdict(
        name="errors",
        state=MetricState.HEALTHY,
        effect=0.0,
        low=0.0,
        high=0.0,
        evidence_against=0.0,
        evidence_for=1.0,
        n_canary=100,
        n_baseline=100,
        reason="",
    )
    healthy.verdict = replace(healthy.verdict, metrics=(within,))
    steps = [{"mirror": 10, "seconds": 5}, {"weight": 50}, {"pause": 5}]
    ended = drive(start(make, steps=steps, adaptive=CLIMB), healthy)
    assert ended.phase is Phase.SUCCEEDED
    weights = [int(each) for each in set_traffic(healthy)[2:-1]]
    assert (set_traffic(healthy)[1], weights[0], weights[-1]) == ("0 mirror", 2, 20)
    assert weights == sorted(set(weights))


@pytest.mark.parametrize(
    "fields", [{"baseline": "fresh"}, {"sticky": {}}, {"analysis": {"judge": "threshold"}}], ids=lambda f: next(iter(f))
)
def test_an_adaptive_ramp_is_refused_with_what_needs_weights_or_bounds(fields):
    with pytest.raises(ValidationError) as error:
        override(PROFILES["standard"], {"adaptive": CLIMB, **fields})
    assert any("adaptive: " in mistake for mistake in mistakes(error.value))
