"""A canary from its beginning to its end, and what ends it before."""

from dataclasses import replace

import pytest

from canary_analyzer.analysis import Decision, MetricState, MetricVerdict
from canary_analyzer.rollout.decide import begin
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.policy import OnInconclusive
from canary_analyzer.rollout.run import RouteRef
from canary_analyzer.rollout.view import Evidence, Share, Wishes
from driving import LEFT, drive, drive_to, one_pass

PROMOTED = [
    "CreateCanary 2",
    "SetTraffic 0",
    "SetTraffic 10",
    "SetTraffic 50",
    "PatchStable",
    "SetTraffic 0",
    "RestoreRoutes",
    "DeleteCanary",
    "DeleteCanaryServices",
    "CloseRequest",
]


def test_a_healthy_canary_is_promoted_in_the_order_that_loses_no_request(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)
    ended = drive(run, world)
    assert (ended.phase, ended.verdict) == (Phase.SUCCEEDED, Decision.HEALTHY.value)
    assert world.log == PROMOTED
    assert world.stable.images == {"app": "app:v2"}


def test_a_bad_canary_loses_its_traffic_in_the_pass_that_sees_the_verdict(run, world, make):
    run, now = drive_to(run, world, "analyse")
    world.log.clear()
    world.verdict = make.verdict(Decision.ABORT, "errors: 12 of 100 against 0 of 900")
    decision = one_pass(run, world, now + 1)
    assert type(decision.action).__name__ == "SetTraffic"
    assert decision.run.phase is Phase.ABORTING
    world.obey(decision.action)
    ended = drive(decision.run, world)
    assert (ended.phase, ended.reason) == (Phase.ABORTED, "errors: 12 of 100 against 0 of 900")
    assert world.log == LEFT
    assert world.stable.images == {"app": "app:v1"}


@pytest.mark.parametrize("verdict", [Decision.HEALTHY, Decision.ABORT])
@pytest.mark.parametrize("recorded", [True, False], ids=["killed after recording", "killed before recording"])
def test_a_process_killed_at_any_write_finishes_the_same_way(run, make, verdict, recorded):
    """Kill it at the n-th write, for every n: the write was made or not, the record was saved (it is saved first)."""
    for crash in range(12):
        world, alive = make.world(verdict=make.verdict(verdict)), run
        writes = 0
        for now in range(1, 400):
            if alive.ended:
                break
            decision = one_pass(alive, world, float(now))
            crashed = decision.action is not None and writes == crash
            writes += decision.action is not None
            if not crashed or recorded:
                alive = decision.run
            if decision.action is not None and not crashed:
                world.obey(decision.action)
        assert alive.ended
        assert (world.canary, world.services, world.traffic, world.wishes.closed) == (None, False, None, True)
        assert world.stable.images["app"] == ("app:v2" if verdict is Decision.HEALTHY else "app:v1")


def test_the_weight_moves_only_after_the_canary_pods_for_it_are_available(run, world):
    world.stable = replace(world.stable, replicas=10, updated=10, available=10, total=10)
    run, now = drive_to(run, world, "scale canary")
    for later in range(1, 30):
        decision = one_pass(run, world, now + later)
        run = decision.run
        if decision.action is not None:
            world.obey(decision.action)
        if world.canary.replicas == 6:
            break
    world.canary = replace(world.canary, available=5)
    stuck = one_pass(run, world, now + 40)
    assert (stuck.run.stage, stuck.action) == ("await scaled canary", None)


def test_a_canary_that_was_never_routed_is_taken_away_without_waiting_for_the_data_plane(run, world):
    world.obey(one_pass(run, world, 1.0).action)
    world.wishes = Wishes(trigger=None)
    unseen = Evidence(unavailable="Prometheus is away")
    assert type(one_pass(run, world, 2.0, unseen).action).__name__ == "DeleteCanary"


ABORTS = {
    "trigger removed": ({"wishes": Wishes(trigger=None)}, "annotation image was removed"),
    "trigger changed": ({"wishes": Wishes(trigger="app:v3")}, "changed from app:v2 to app:v3"),
    "abort asked": ({"wishes": Wishes(trigger="app:v2", abort="app-1")}, "a user asked"),
    "crash loop": ({"canary_trouble": "container app: CrashLoopBackOff (2 of 2 pods)"}, "CrashLoopBackOff"),
    "canary deleted": ({"canary": None}, "deleted by somebody else"),
    "route deleted": ({"missing_routes": (RouteRef(namespace="default", name="app"),)}, "deleted VirtualService"),
    "canary's Service deleted": ({"canary_services": False}, "Service app-canary was deleted by somebody else"),
}


@pytest.mark.parametrize(("seen", "reason"), ABORTS.values(), ids=ABORTS)
def test_the_run_is_aborted_with_the_reason_when(run, world, seen, reason):
    run, now = drive_to(run, world, "analyse")
    aborted = one_pass(run, world, now + 1, **seen).run
    assert aborted.phase is Phase.ABORTING
    assert reason in aborted.reason


def test_an_abort_asked_for_another_run_is_not_for_this_one(run, world):
    run, now = drive_to(run, world, "analyse")
    world.wishes = Wishes(trigger="app:v2", abort="app-7")
    assert one_pass(run, world, now + 1).run.phase is Phase.ANALYSING


def test_pods_that_never_become_available_never_get_into_the_route(run, world, make):
    world.obey(one_pass(run, world, 1.0).action)
    world.canary = replace(world.canary, available=0)
    ended = drive(run, world, until=400)
    assert ended.phase is Phase.ABORTED
    assert "within 300 s, the canary's pods did not become Available" in ended.reason
    assert not [write for write in world.log if write.startswith("SetTraffic")]


def test_a_service_that_was_away_for_longer_than_a_limit_tries_before_it_gives_up(run, world):
    back = one_pass(run, world, 1000.0, first_look=True)
    assert (back.run.phase, back.run.stage) == (Phase.STARTING, "create canary")
    assert type(back.action).__name__ == "CreateCanary"
    assert one_pass(back.run, world, 1001.0).run.phase is Phase.ABORTING  # nothing has come of it


AFTER_THE_RAMP = {
    # verdict, policy's answer -> phase after plenty of time
    "healthy": (Decision.HEALTHY, OnInconclusive.ABORT, Phase.SUCCEEDED),
    "undecided, promote": (Decision.CONTINUE, OnInconclusive.PROMOTE, Phase.SUCCEEDED),
    "undecided, abort": (Decision.CONTINUE, OnInconclusive.ABORT, Phase.ABORTED),
    "undecided, hold": (Decision.CONTINUE, OnInconclusive.HOLD, Phase.AWAITING_APPROVAL),
    "thin data is never promoted": (Decision.INCONCLUSIVE, OnInconclusive.PROMOTE, Phase.ANALYSING),
    "no data is never promoted": (None, OnInconclusive.PROMOTE, Phase.ANALYSING),
}


@pytest.mark.parametrize(("judged", "answer", "phase"), AFTER_THE_RAMP.values(), ids=AFTER_THE_RAMP)
def test_at_the_end_of_the_ramp(make, judged, answer, phase):
    world = make.world(verdict=make.verdict(judged) if judged else None)
    run = begin(make.run(policy=make.policy(on_inconclusive=answer)), now=0.0)
    assert drive(run, world).phase is phase


def test_at_the_deadline_traffic_goes_back_and_nothing_is_said_of_the_canary_s_quality(make):
    world = make.world(verdict=make.verdict(Decision.INCONCLUSIVE, "only 3 requests"))
    ended = drive(begin(make.run(policy=make.policy(deadline_seconds=100)), now=0.0), world, until=300)
    assert (ended.phase, ended.verdict) == (Phase.ABORTED, Decision.INCONCLUSIVE.value)
    assert "no verdict within 100 s" in ended.reason
    assert "only 3 requests" in ended.reason


def test_a_step_waits_for_its_requests(run, world):
    run, now = drive_to(run, world, "analyse")
    few = Evidence(share=Share(canary=0, total=3), step_requests=4)
    assert one_pass(run, world, now + 100, few).run.step == 0
    assert one_pass(run, world, now + 100).run.step == 1


def test_samples_count_only_after_the_observed_share_agrees_with_the_weight(run, world):
    run, now = drive_to(run, world, "settle weight")
    old_split = Evidence(share=Share(canary=0, total=1000))
    assert one_pass(run, world, now + 50, old_split).run.windows == ()
    assert one_pass(run, world, now + 50).run.stage == "analyse"


def test_a_stable_that_cannot_roll_out_gets_its_old_template_back_before_the_canary_leaves(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)

    def break_stable(run, world, now):
        if run.phase is Phase.PROMOTING and world.stable.images == {"app": "app:v2"}:
            world.stable = replace(world.stable, available=2, failure="ProgressDeadlineExceeded: quota")

    ended = drive(run, world, each=break_stable)
    assert ended.phase is Phase.ABORTED
    assert "quota" in ended.reason
    assert world.log[4:] == ["PatchStable", "PatchStable", *LEFT]
    assert world.stable.images == {"app": "app:v1"}


def test_a_metric_without_data_is_never_promoted(run, world, make):
    blind = MetricVerdict(
        name="latency_p99",
        state=MetricState.NO_DATA,
        effect=0.0,
        low=0.0,
        high=0.0,
        evidence_against=0.0,
        evidence_for=0.0,
        n_canary=0,
        n_baseline=0,
        reason="no histogram",
    )
    world.verdict = replace(make.verdict(Decision.CONTINUE), metrics=(blind,))
    assert drive(run, world).phase is Phase.ANALYSING


def test_a_promotion_is_aborted_when_its_canary_breaks_and_traffic_does_not_wait_for_stable(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)

    run, now = drive_to(run, world, "patch stable", Phase.PROMOTING)
    world.stable = make.workload({"app": "app:v2"}, available=2)
    world.canary = None
    aborted = one_pass(run, world, now + 1)
    assert aborted.run.phase is Phase.ABORTING
    world.obey(aborted.action)
    world.stable = make.workload({"app": "app:v1"}, available=2)
    assert type(one_pass(aborted.run, world, now + 2).action).__name__ == "SetTraffic"


def test_only_the_containers_whose_image_changes_tell_whether_stable_is_restored(make):
    both, old = {"app": "app:v2", "proxy": "proxy:1"}, {"app": "app:v1", "proxy": "proxy:1"}
    world = make.world(stable=make.workload(old), verdict=make.verdict(Decision.HEALTHY))
    run = begin(make.run(images=both, stable_images=old, stable_template=world.stable.template), now=0.0)

    def break_stable(run, world, now):
        if run.phase is Phase.PROMOTING and world.stable.images == both:
            world.stable = replace(world.stable, available=2, failure="ProgressDeadlineExceeded: quota")

    assert drive(run, world, each=break_stable).phase is Phase.ABORTED
    assert world.stable.images == old
