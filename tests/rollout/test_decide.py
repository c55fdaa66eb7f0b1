from dataclasses import replace

import pytest

from canary_analyzer.analysis import Decision, MetricState, MetricVerdict
from canary_analyzer.rollout.decide import MOST_REVERTS, begin, decide
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.policy import OnInconclusive
from canary_analyzer.rollout.programs import Situation
from canary_analyzer.rollout.programs.goals import canary_replicas
from canary_analyzer.rollout.run import RouteRef
from canary_analyzer.rollout.view import Evidence, Share, Wishes
from canary_analyzer.routing import Traffic

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
LEFT = ["SetTraffic 0", "RestoreRoutes", "DeleteCanary", "DeleteCanaryServices", "CloseRequest"]


def one_pass(run, world, now, evidence=None):
    situation = Situation(run=run, view=world.view(), evidence=evidence or world.evidence(), now=now)
    return decide(situation)


def drive(run, world, *, until=200, each=lambda run, world, now: None):
    """Take passes a second apart, obeying every write, until the run ends."""
    for now in range(1, until):
        each(run, world, now)
        decision = one_pass(run, world, float(now))
        run = decision.run
        if run.ended:
            return run
        if decision.action is not None:
            world.obey(decision.action)
    return run


def passes_of(run, world):
    """Yield the run and the time after each pass, before its write is made."""
    for now in range(1, 200):
        decision = one_pass(run, world, float(now))
        run = decision.run
        yield run, float(now)
        if decision.action is not None:
            world.obey(decision.action)


def drive_to(run, world, stage, phase=Phase.ANALYSING):
    """Take passes until the run is at a stage; return it and the time."""
    return next((run, now) for run, now in passes_of(run, world) if (run.phase, run.stage) == (phase, stage))


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
    view = replace(world.view(), **seen)
    decision = decide(Situation(run=run, view=view, evidence=world.evidence(), now=now + 1))
    assert decision.run.phase is Phase.ABORTING
    assert reason in decision.run.reason


@pytest.mark.parametrize("stage", ["settle weight", "analyse"])
def test_a_canary_that_somebody_deletes_serves_until_its_requests_have_been_sent_back(run, world, stage):
    run, now = drive_to(run, world, stage)
    world.canary = replace(world.canary, deleted=True)
    assert "canary Deployment app-canary was deleted" in one_pass(run, world, now).run.reason
    world.log.clear()
    assert drive(run, world).phase is Phase.ABORTED
    assert world.log[-3:] == ["DeleteCanary", "DeleteCanaryServices", "CloseRequest"]


def test_a_template_that_somebody_changes_in_mid_run_ends_it(run, world, make):
    run, now = drive_to(run, world, "analyse")
    world.stable = make.workload({"app": "app:v9"})
    assert "pod template of app was changed" in one_pass(run, world, now + 1).run.reason


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
    view = replace(world.view(), first_look=True)
    back = decide(Situation(run=run, view=view, evidence=world.evidence(), now=1000.0))
    assert (back.run.phase, back.run.stage) == (Phase.STARTING, "create canary")
    assert type(back.action).__name__ == "CreateCanary"
    assert one_pass(back.run, world, 1001.0).run.phase is Phase.ABORTING  # nothing has come of it


def test_without_metrics_the_weight_stays_the_phase_says_why_and_the_run_goes_on_afterwards(run, world):
    run, now = drive_to(run, world, "analyse")
    blind = Evidence(unavailable="Prometheus at http://p does not answer")
    for later in range(1, 60):
        decision = one_pass(run, world, now + later, blind)
        run = decision.run
        assert decision.action is None
    assert run.phase is Phase.HOLDING
    assert "Prometheus at http://p does not answer" in run.reason
    assert one_pass(run, world, now + 60).run.phase is Phase.ANALYSING


def test_hold_freezes_the_ramp_and_its_removal_resumes_it(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)
    run, now = drive_to(run, world, "analyse")
    world.wishes = Wishes(trigger="app:v2", hold=True)
    held = run
    for later in range(1, 50):
        held = one_pass(held, world, now + later).run
    assert (held.phase, held.step) == (Phase.HOLDING, 0)
    world.wishes = Wishes(trigger="app:v2")
    assert one_pass(held, world, now + 50).run.phase is Phase.ANALYSING


def test_a_held_canary_that_turns_bad_is_aborted_all_the_same(run, world, make):
    run, now = drive_to(run, world, "analyse")
    world.wishes = Wishes(trigger="app:v2", hold=True)
    run = one_pass(run, world, now + 1).run
    world.verdict = make.verdict(Decision.ABORT)
    assert one_pass(run, world, now + 2).run.phase is Phase.ABORTING


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


def test_foreign_reverts_are_undone_a_few_times_and_then_end_the_run(run, world):
    run, now = drive_to(run, world, "analyse")
    for revert in range(MOST_REVERTS):
        world.traffic = Traffic(weight=0)
        run = one_pass(run, world, now).run
        assert (run.stage, run.reverts) == ("shift weight", revert + 1)
        world.traffic = Traffic(weight=10)
        run = one_pass(run, world, now + 1).run
        now += 5
    world.traffic = Traffic(weight=0)
    assert "somebody else changed the weights" in one_pass(run, world, now).run.reason


@pytest.mark.parametrize(
    ("phase", "stage"), [(Phase.STARTING, "route canary"), (Phase.ANALYSING, "shift weight")], ids=["first", "later"]
)
def test_a_route_that_is_put_back_before_anybody_looks_is_a_foreign_revert_too(run, world, phase, stage):
    run, now = drive_to(run, world, stage, phase)
    for _ in range(MOST_REVERTS + 1):
        now += 1
        view = replace(world.view(), wrote=True)  # and what it writes is gone at the next look
        run = decide(Situation(run=run, view=view, evidence=world.evidence(), now=now)).run
    assert run.phase is Phase.ABORTING
    assert "somebody else changed the weights" in run.reason


def test_a_write_that_failed_or_was_never_made_is_nobody_s_revert(run, world):
    run, now = drive_to(run, world, "shift weight")
    view = replace(world.view(), wrote=False)
    for later in range(1, 6):
        run = decide(Situation(run=run, view=view, evidence=world.evidence(), now=now + later)).run
    assert (run.phase, run.reverts) == (Phase.ANALYSING, 0)


def test_a_gate_waits_for_approval_of_this_very_run(make):
    world = make.world(verdict=make.verdict(Decision.HEALTHY))
    run = drive(begin(make.run(policy=make.policy(approve_before_promotion=True)), now=0.0), world)
    assert run.phase is Phase.AWAITING_APPROVAL
    world.wishes = Wishes(trigger="app:v2", approve="app-0")
    assert one_pass(run, world, 300.0).run.phase is Phase.AWAITING_APPROVAL
    world.wishes = Wishes(trigger="app:v2", approve="app-1")
    assert one_pass(run, world, 301.0).run.phase is Phase.PROMOTING


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


def test_a_route_that_somebody_puts_back_on_the_way_out_is_drained_again_before_any_pod_goes(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)
    edited = []

    def edit(run, world, now):
        if run.stage == "settle restored" and not edited:
            edited.append(now)
            world.traffic = Traffic(weight=25)
            world.log.clear()

    assert drive(run, world, each=edit).phase is Phase.SUCCEEDED
    assert world.log == ["SetTraffic 0", "RestoreRoutes", "DeleteCanary", "DeleteCanaryServices", "CloseRequest"]


def test_weights_that_somebody_takes_away_during_promotion_do_not_hold_it_up(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)

    def revert(run, world, now):
        if run.phase is Phase.PROMOTING and run.stage == "settle stable":
            world.traffic = Traffic(weight=0)

    assert drive(run, world, each=revert).phase is Phase.SUCCEEDED


def test_a_promotion_that_somebody_undoes_is_no_success(run, world, make):
    world.verdict = make.verdict(Decision.HEALTHY)

    def undo(run, world, now):
        if run.phase is Phase.PROMOTING and run.stage == "settle stable":
            world.stable = make.workload({"app": "app:v1"})

    ended = drive(run, world, each=undo)
    assert (ended.phase, world.canary, world.traffic) == (Phase.ABORTED, None, None)
    assert "somebody else changed the image" in ended.reason


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


def test_the_time_that_a_user_holds_a_run_is_not_counted_against_its_deadline(make):
    world = make.world(verdict=make.verdict(Decision.CONTINUE))
    run = begin(make.run(policy=make.policy(deadline_seconds=100)), now=0.0)
    run, now = drive_to(run, world, "analyse")
    world.wishes = Wishes(trigger="app:v2", hold=True)
    run = one_pass(run, world, now + 1).run
    world.wishes = Wishes(trigger="app:v2")
    resumed = one_pass(run, world, now + 1000).run
    assert resumed.phase is Phase.ANALYSING
    assert one_pass(resumed, world, now + 1100).run.phase is Phase.ABORTING


def test_a_hold_that_was_set_from_the_start_keeps_the_canary_at_zero(run, world):
    world.wishes = Wishes(trigger="app:v2", hold=True)
    held = drive(run, world, until=60)
    assert (held.phase, world.traffic) == (Phase.HOLDING, Traffic())


SHARES = {
    # canary, total, weight -> agrees
    "no requests contradict nothing": (0, 0, 10, True),
    "exact": (100, 1000, 10, True),
    "old split": (0, 1000, 10, False),
    "chance": (13, 100, 10, True),
    "all drained": (0, 1000, 0, True),
    "still draining": (60, 1000, 0, False),
    "thin": (1, 3, 10, True),
}


@pytest.mark.parametrize(("canary", "total", "weight", "agrees"), SHARES.values(), ids=SHARES)
def test_the_observed_share_agrees_with_the_weight(canary, total, weight, agrees):
    assert Share(canary=canary, total=total).agrees_with(weight) is agrees


@pytest.mark.parametrize(
    ("stable", "weight", "replicas"),
    [(1, 10, 1), (3, 10, 2), (3, 50, 2), (10, 50, 5), (10, 5, 2), (100, 25, 25), (7, 100, 7)],
)
def test_the_canary_is_as_large_as_its_weight_needs(stable, weight, replicas):
    assert canary_replicas(stable, weight) == replicas
