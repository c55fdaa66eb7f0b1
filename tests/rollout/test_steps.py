"""What a ramp may contain: every kind of step driven through the decisions, on a cluster that obeys."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from canary_analyzer.analysis import Decision, MetricState, MetricVerdict
from canary_analyzer.rollout.actions import SetTraffic
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.decide import MOST_REVERTS, begin
from canary_analyzer.rollout.gates import Answer
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.policy import PROFILES, mistakes, override
from canary_analyzer.rollout.run import RouteRef
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.rollout.view import Autoscaler, Wishes
from canary_analyzer.routing import Traffic
from driving import drive, drive_to, one_pass

SHORT = {"seconds": 5, "requests": 0}
WEIGHT = {"weight": 50, **SHORT}
LEFT = ["SetTraffic 0", "RestoreRoutes", "DeleteCanary", "DeleteCanaryServices", "CloseRequest"]


def start(make, strategy=Strategy.CANARY, **policy):
    return begin(make.run(strategy=strategy, policy=make.policy(**policy)), now=0.0)


@pytest.fixture
def healthy(make):
    return make.world(verdict=make.verdict(Decision.HEALTHY))


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


# Webhooks --------------------------------------------------------------------------------------------------------


YES = Answer(passed=True, text="answered 200")
ALL = {"start": ["a"], "step": ["b"], "promotion": ["c"], "end": ["d"], "rollback": ["e"]}


def order(world):
    return [entry for entry in world.log if "/" in entry or entry.startswith(("SetTraffic", "PatchStable"))]


def test_gates_are_asked_before_what_they_guard_and_others_are_told_after_it(make, healthy):
    healthy.answer = lambda _: YES
    run = start(make, steps=[{"gate": "g"}, WEIGHT], webhooks=ALL)
    assert drive(run, healthy).phase is Phase.SUCCEEDED
    assert list(dict.fromkeys(order(healthy))) == [
        "SetTraffic 0",
        "start/0/a",
        "gate/0/g",
        "step/1/b",
        "SetTraffic 50",
        "promotion/2/c",
        "PatchStable",
        "end/2/d",
    ]


NOT_YES = {
    "answers an error": Answer(passed=False, text="answered 500"),
    "redirects elsewhere": Answer(passed=False, text="answered 302, a redirect, which is not followed"),
    "hangs": None,
}


@pytest.mark.parametrize("moment", ["start", "step", "promotion"])
@pytest.mark.parametrize("answer", NOT_YES.values(), ids=NOT_YES)
def test_a_gate_that_does_not_say_yes_never_moves_traffic_forward(make, healthy, moment, answer):
    healthy.answer = lambda _: answer
    run = start(make, steps=[WEIGHT], webhooks={moment: ["a"]}, deadline_seconds=100)
    ended = drive(run, healthy)
    assert ended.phase is Phase.ABORTED
    assert "no verdict within 100 s" in ended.reason
    assert "PatchStable" not in healthy.log
    assert ("SetTraffic 50" in healthy.log) is (moment == "promotion")


def test_a_gate_that_is_closed_holds_the_run_with_the_reason_and_opens_later(make, healthy):
    healthy.answer = lambda _: NOT_YES["answers an error"]
    waiting = drive(start(make, steps=[WEIGHT], webhooks={"step": ["load-test"]}), healthy, until=30)
    assert waiting.phase is Phase.HOLDING
    assert "load-test answered 500" in waiting.reason
    healthy.answers, healthy.answer = {}, lambda _: YES
    assert drive(waiting, healthy).phase is Phase.SUCCEEDED


def test_a_gate_s_last_word_aborts_at_once(make, healthy):
    healthy.answer = lambda _: Answer(passed=False, text="answered 403", final=True)
    ended = drive(start(make, webhooks={"start": ["a"]}), healthy)
    assert (ended.phase, ended.reason) == (Phase.ABORTED, "a webhook has refused: a answered 403")


def test_a_gate_that_has_said_yes_is_not_asked_again_after_a_restart(make, healthy):
    def restart(run, world, now):
        if run.passed:
            world.answers = {}  # all that the process knew

    healthy.answer = lambda _: YES
    drive(start(make, steps=[{"gate": "g"}, WEIGHT]), healthy, each=restart)
    assert healthy.log.count("gate/0/g") == 1


def test_who_is_only_told_holds_nothing_up_for_long(make, healthy):
    run = start(make, steps=[WEIGHT], webhooks={"end": ["deaf"], "rollback": ["deaf"]})
    assert drive(run, healthy).phase is Phase.SUCCEEDED


def test_a_roll_back_is_told_when_traffic_has_gone_back(make, healthy):
    def turn_bad(run, world, now):
        if run.weight == 50:
            world.verdict = make.verdict(Decision.ABORT)

    healthy.answer = lambda _: YES
    drive(start(make, webhooks=ALL, steps=[WEIGHT]), healthy, each=turn_bad)
    assert order(healthy)[-3:] == ["SetTraffic 0", "rollback/0/e", "end/0/d"]


# Strategies and baselines ----------------------------------------------------------------------------------------

BLUE_GREEN = {
    "preview": [{"match": {"headers": {"x-preview": "1"}}, "seconds": 5}],
    "analysis_seconds": 10,
    "requests": 0,
    "keep_seconds": 10,
}


def test_green_is_as_large_as_blue_from_the_start_and_gets_nearly_all_at_once(make, healthy):
    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN)
    assert drive(run, healthy).phase is Phase.SUCCEEDED
    expected = ["CreateCanary 3", *(f"SetTraffic {each}" for each in ("0", "0 match", "90", "100")), "PatchStable"]
    assert healthy.log == [*expected, *LEFT]


def test_green_that_turns_bad_after_the_switch_loses_all_traffic_at_once(make, healthy):
    def turn_bad(run, world, now):
        if run.weight == 100:
            world.verdict = make.verdict(Decision.ABORT)

    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN)
    assert drive(run, healthy, each=turn_bad).phase is Phase.ABORTED
    assert healthy.log[-6:] == ["SetTraffic 100", *LEFT]


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        pytest.param(0, ["SetTraffic 0 match", "SetTraffic 100", "PatchStable"], id="in the preview"),
        pytest.param(90, ["SetTraffic 90", "SetTraffic 100", "PatchStable"], id="while it is compared"),
        pytest.param(100, ["SetTraffic 90", "SetTraffic 100", "PatchStable"], id="while blue is kept"),
    ],
)
def test_green_that_a_person_promotes_gets_all_requests_before_blue_is_replaced(make, healthy, weight, expected):
    def promote(run, world, now):
        if (run.phase, run.weight, run.stage) == (Phase.ANALYSING, weight, "analyse"):
            world.wishes = replace(world.wishes, promote=run.name)

    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN)
    ended = drive(run, healthy, each=promote)
    assert (ended.phase, "a user promoted it" in ended.reason) == (Phase.SUCCEEDED, True)
    assert healthy.log[-len(LEFT) - 3 : -len(LEFT)] == expected


MEANWHILE = {
    # what somebody does while green takes over -> why the run is aborted
    "blue is changed": (
        lambda world: setattr(world, "stable", replace(world.stable, template="another")),
        Cause.STABLE_CHANGED,
    ),
    "the route is deleted": (
        lambda world: setattr(world, "missing_routes", (RouteRef(namespace="default", name="app"),)),
        Cause.ROUTE_DELETED,
    ),
}


@pytest.mark.parametrize(("happens", "cause"), MEANWHILE.values(), ids=MEANWHILE)
def test_blue_is_not_replaced_before_green_has_all_requests_and_not_at_all_when(make, healthy, happens, cause):
    def promote(run, world, now):
        if (run.phase, run.stage) == (Phase.ANALYSING, "analyse"):
            world.wishes = replace(world.wishes, promote=run.name)
        if (run.phase, run.stage) == (Phase.PROMOTING, "settle weight"):
            happens(world)

    ended = drive(start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN), healthy, each=promote)
    assert (ended.phase, ended.cause) == (Phase.ABORTED, cause)
    assert "PatchStable" not in healthy.log


def green_promoted(make, world, stage):
    """A run that has passed, at a stage of its promotion, and the time."""
    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN)
    return drive_to(run, world, stage, Phase.PROMOTING)


def test_blue_that_gets_its_requests_back_is_not_replaced_before_green_has_them_again(make, healthy):
    run, now = green_promoted(make, healthy, "patch stable")
    for _ in range(MOST_REVERTS):
        healthy.traffic = Traffic()  # and the write of the new image was refused
        decision = one_pass(run, healthy, now + 1)
        assert decision.action == SetTraffic(traffic=Traffic(weight=100))
        healthy.obey(decision.action)
        run, now = drive_to(decision.run, healthy, "patch stable", Phase.PROMOTING)
    healthy.traffic = Traffic()
    ended = drive(run, healthy)
    assert (ended.phase, ended.cause) == (Phase.ABORTED, Cause.REVERTED)
    assert "PatchStable" not in healthy.log


@pytest.mark.parametrize(
    ("serving", "writes"),
    [
        pytest.param(3, ["SetTraffic 100", "PatchStable", *LEFT], id="green serves meanwhile"),
        pytest.param(0, ["PatchStable", *LEFT[1:]], id="nobody else can serve"),
    ],
)
def test_blue_that_has_requests_is_given_its_old_version_back_where_green_can_take_them(make, healthy, serving, writes):
    run, _ = green_promoted(make, healthy, "settle stable")
    healthy.log.clear()
    healthy.traffic, healthy.wishes = Traffic(), Wishes(trigger=None)
    healthy.canary = replace(healthy.canary, available=serving)
    ended = drive(run, healthy)
    assert (ended.phase, healthy.log) == (Phase.ABORTED, writes)
    assert healthy.stable.images == {"app": "app:v1"}


def test_green_does_not_get_the_last_users_without_a_verdict(make):
    world = make.world(verdict=make.verdict(Decision.INCONCLUSIVE))
    run = start(make, Strategy.BLUE_GREEN, blue_green=BLUE_GREEN, deadline_seconds=100)
    assert drive(run, world).phase is Phase.ABORTED
    assert "SetTraffic 100" not in world.log


def test_without_a_control_only_guardrails_judge_green(make):
    world = make.world(verdict=make.verdict(Decision.INCONCLUSIVE))
    run = start(make, Strategy.BLUE_GREEN, blue_green={**BLUE_GREEN, "control_percent": 0})
    ended = drive(run, world)
    assert (ended.phase, "SetTraffic 90" in world.log) == (Phase.SUCCEEDED, False)
    assert "nothing to compare with" in ended.reason


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
