"""What makes a run stand still, and how it goes on."""

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.decide import begin
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.view import Evidence, Wishes
from canary_analyzer.routing import Traffic
from driving import drive, drive_to, one_pass


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


def test_a_hold_that_was_set_from_the_start_keeps_the_canary_at_zero(run, world):
    world.wishes = Wishes(trigger="app:v2", hold=True)
    held = drive(run, world, until=60)
    assert (held.phase, world.traffic) == (Phase.HOLDING, Traffic())


def test_a_held_canary_that_turns_bad_is_aborted_all_the_same(run, world, make):
    run, now = drive_to(run, world, "analyse")
    world.wishes = Wishes(trigger="app:v2", hold=True)
    run = one_pass(run, world, now + 1).run
    world.verdict = make.verdict(Decision.ABORT)
    assert one_pass(run, world, now + 2).run.phase is Phase.ABORTING


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


def test_a_gate_waits_for_approval_of_this_very_run(make):
    world = make.world(verdict=make.verdict(Decision.HEALTHY))
    run = drive(begin(make.run(policy=make.policy(approve_before_promotion=True)), now=0.0), world)
    assert run.phase is Phase.AWAITING_APPROVAL
    world.wishes = Wishes(trigger="app:v2", approve="app-0")
    assert one_pass(run, world, 300.0).run.phase is Phase.AWAITING_APPROVAL
    world.wishes = Wishes(trigger="app:v2", approve="app-1")
    assert one_pass(run, world, 301.0).run.phase is Phase.PROMOTING
