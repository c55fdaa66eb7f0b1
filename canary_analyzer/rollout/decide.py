"""What a run does next: old run and what was seen in, new run and the writes it wants out."""

from collections.abc import Callable
from dataclasses import dataclass

from canary_analyzer.analysis import Decision as Judgement
from canary_analyzer.rollout.actions import Action
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.gates import due
from canary_analyzer.rollout.phases import RAMPING, Event, Phase
from canary_analyzer.rollout.policy import OnInconclusive
from canary_analyzer.rollout.programs import (
    Situation,
    Stage,
    first_stage,
    is_leaving,
    stage_after,
    stage_named,
    stage_of,
)
from canary_analyzer.rollout.programs.goals import too_thin, weight_after
from canary_analyzer.rollout.ramp import is_last_comparison, switch_of, traffic_in_words, weights_of
from canary_analyzer.rollout.rolling_rules import remembered
from canary_analyzer.rollout.rules import abort_reason, hold_reason
from canary_analyzer.rollout.run import REASON_LENGTH, Run, Window
from canary_analyzer.rollout.steps import ApprovalStep
from canary_analyzer.rollout.strategy import Strategy

SLOW_SECONDS = 60.0
"""After so long at a stage that has no limit, people are told what it waits for."""
MOST_REVERTS = 3
"""So often our weights are put back again before we take somebody else's edits for an intention."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The run to record, and then the write to make, if any."""

    run: Run
    action: Action | None


def decide(situation: Situation) -> Decision:
    """Take the run as far as what was seen allows, and name the write that leads on.

    Order: what ends or holds the run comes first (`interrupted`), then the stages whose goals are already reached.
    """
    s = situation.of(remembered(situation))
    s = s.of(_heard(s))
    s = s.of(interrupted(s))
    while not s.run.ended and (following := _progress(s)) != s.run:
        s = s.of(following)
    s = s.of(_told_to_wait(s))
    return Decision(run=s.run, action=_action(s))


def _told_to_wait(s: Situation) -> Run:
    """Say what is waited for, once at each stage that takes long."""
    waits = stage_of(s.run).waits if not s.run.ended else None
    if waits is None or s.run.waiting or s.elapsed < SLOW_SECONDS:
        return s.run
    waiting = f"after {s.elapsed:.0f} s still waiting for {waits(s)}"
    return s.run.model_copy(update={"waiting": waiting[:REASON_LENGTH]}).noting(waiting, s.now)


def _action(s: Situation) -> Action | None:
    if s.run.ended:
        return None
    stage = stage_of(s.run)
    return None if stage.done(s) else stage.action(s)


def begin(run: Run, now: float) -> Run:
    """Return a Pending run, accepted and at its first stage."""
    accepted = run.on(Event.ACCEPT, f"started: {_versions(run)}", now)
    return _enter(accepted, first_stage(accepted), now)


def _versions(run: Run) -> str:
    return ", ".join(f"{name}: {run.stable_images[name]} -> {image}" for name, image in run.images.items())


# Interruptions ---------------------------------------------------------------------------------------------------


def interrupted(s: Situation) -> Run:
    """Return the run after whatever stops or holds it now; unchanged where nothing does."""
    if (why := abort_reason(s)) is not None:
        return _abort(s, *why)
    if _is_told_to_promote(s):
        return _promoted_by_hand(s)
    if s.run.phase in (Phase.ANALYSING, Phase.HOLDING):
        s = s.of(_held(s))
    return s.run if stage_of(s.run).given(s) else _undone(s)


def _heard(s: Situation) -> Run:
    """Remember which gates have said yes."""
    if s.run.phase not in RAMPING:
        return s.run
    passed = [call.key for call in due(s.run) if call.key in s.view.answers and s.view.answers[call.key].passed]
    return s.run.model_copy(update={"passed": (*s.run.passed, *passed)}) if passed else s.run


def _held(s: Situation) -> Run:
    """Freeze the ramp while a user, missing metrics or a gate that is not open ask for it."""
    run, because = s.run.held(s.view.wishes.hold, s.now), hold_reason(s)
    if because is None:
        return run.on(Event.RESUME, "going on", s.now) if run.phase is Phase.HOLDING else run
    if run.phase is Phase.HOLDING:
        return run
    return run.on(Event.HOLD, f"holding at {s.view.weight or 0} %: {because}", s.now)


def _undone(s: Situation) -> Run:
    """Do again what somebody else undid; until the canary has passed a few times only, then take the hint."""
    counts = s.run.phase in RAMPING | {Phase.STARTING} or _is_switching(s)
    if counts and s.run.reverts >= MOST_REVERTS:
        return _abort(
            s,
            Cause.REVERTED,
            f"somebody else changed the weights {MOST_REVERTS + 1} times (a GitOps tool? let it ignore "
            "the weights of our routes)",
        )
    found = "no canary in the route" if s.view.weight is None else f"weight {s.view.weight}"
    back = stage_named(s.run, stage_of(s.run).back)
    noted = s.run.noting(
        f"somebody else edited the route: found {found}, wanted {s.run.weight}; back to: {back.name}", s.now
    )
    counted = noted.model_copy(update={"reverts": s.run.reverts + counts})
    return _enter(counted, back, s.now)


def _is_switching(s: Situation) -> bool:
    """Whether green has passed, but has to have all requests before blue is replaced."""
    return (s.run.strategy, s.run.phase) == (Strategy.BLUE_GREEN, Phase.PROMOTING) and not is_leaving(s.run)


# Progress --------------------------------------------------------------------------------------------------------


def _progress(s: Situation) -> Run:
    """Return the run one stage on, or unchanged where its stage has not reached its goal."""
    stage = stage_of(s.run)
    if (stage.holds and s.run.phase is Phase.HOLDING) or not stage.done(s):
        return s.run
    following = stage_after(s.run)
    return _enter(s.run, following, s.now) if following is not None else ENDINGS[s.run.phase](s)


def _enter(run: Run, stage: Stage, now: float) -> Run:
    """Return the run at the stage, with the traffic the stage wants and, for analysis, a new window of samples."""
    entered = run.at_stage(stage.name, now)
    if stage.traffic is not None and (traffic := stage.traffic(run)) != run.traffic:
        entered = entered.model_copy(update={"traffic": traffic, "weight": traffic.weight})
        entered = entered.noting(traffic_in_words(traffic), now)
    if stage.routes:
        entered = entered.model_copy(update={"routed": True})
    if stage.samples and run.is_compared:
        entered = entered.model_copy(update={"windows": (*entered.windows, Window(since=now))})
    return entered


def _routed(s: Situation) -> Run:
    routed = s.run.on(Event.ROUTED, _way(s.run), s.now)
    begun = _begin_step(s.of(routed))
    return _held(s.of(begun)) if begun.phase is Phase.ANALYSING else begun


def _way(run: Run) -> str:
    if run.strategy is Strategy.ROLLING:
        return f"{run.deployment} rolls out as soon as metrics of its pods are seen"
    return f"the canary is in the route; its weight goes to {', '.join(map(str, weights_of(run.ramp)))} %"


def _finished(s: Situation) -> Run:
    return s.run.on(Event.FINISH, s.run.reason, s.now).model_copy(update={"revision": s.view.stable.revision})


def _after_step(s: Situation) -> Run:
    """Take the next step; at the last comparison only by the verdict."""
    if s.run.ramp and (higher := weight_after(s)) is not None:
        return _begin_step(s.of(s.run.model_copy(update={"climbed": higher})))
    return _concluded(s) if _needs_verdict(s.run) else _onward(s)


def _needs_verdict(run: Run) -> bool:
    return run.strategy is Strategy.ROLLING or is_last_comparison(run.ramp, run.step)


def _onward(s: Situation) -> Run:
    if s.run.step + 1 >= len(s.run.ramp):
        return _promote(s)
    return _begin_step(s.of(s.run.model_copy(update={"step": s.run.step + 1})))


def _begin_step(s: Situation) -> Run:
    begun = s.of(_enter(s.run, first_stage(s.run), s.now))
    return _ask(begun) if s.run.ramp and isinstance(s.run.ramp_step, ApprovalStep) else begun.run


def _concluded(s: Situation) -> Run:
    """Go on, ask or abort by what the judge says when the two versions have been compared for the last time."""
    verdict = s.evidence.verdict
    if verdict is None or too_thin(s):
        return s.run  # too little data never promotes: the deadline sends traffic back
    if verdict.decision is Judgement.HEALTHY:
        return _onward(_concluding(s, verdict.reason))
    match s.run.policy.on_inconclusive:
        case OnInconclusive.PROMOTE:
            return _onward(_concluding(s, f"not shown to be worse: {verdict.reason}"))
        case OnInconclusive.ABORT:
            reason = f"undecided at the end of the ramp, and the policy says abort: {verdict.reason}"
            return _abort(s, Cause.UNDECIDED, reason)
        case OnInconclusive.HOLD:
            undecided = _concluding(s, f"undecided at the end of the ramp: {verdict.reason}")
            return _onward(undecided) if _asks_next(s.run) else _asked_now(undecided)


def _concluding(s: Situation, conclusion: str) -> Situation:
    return s.of(s.run.model_copy(update={"conclusion": conclusion, "verdict": _verdict(s)}))


def _asks_next(run: Run) -> bool:
    return run.step + 1 < len(run.ramp) and isinstance(run.ramp[run.step + 1], ApprovalStep)


def _ask(s: Situation) -> Run:
    """Wait for a person, and go on looking at the canary meanwhile."""
    why = f"; {s.run.conclusion}" if s.run.conclusion else ""
    asked = s.run.on(Event.ASK_APPROVAL, f"waiting for approval (annotation approve: {s.run.name}){why}", s.now)
    return asked.held(wanted=True, now=s.now)


def _asked_now(s: Situation) -> Run:
    """Ask at the step that the run is at, samples going on."""
    return _enter(_ask(s), stage_named(s.run, "analyse"), s.now)


def _approved(s: Situation) -> Run:
    resumed = s.run.held(s.view.wishes.hold, s.now).on(Event.RESUME, "approved", s.now)
    return _onward(s.of(resumed.model_copy(update={"approved": True})))


def _promote(s: Situation) -> Run:
    reason = s.run.conclusion or "all steps have passed; there was nothing to compare with, guardrails did not object"
    promoted = s.run.on(Event.PROMOTE, reason + _left_to_others(s.run), s.now)
    decided = promoted.model_copy(update={"verdict": _verdict(s), "stable_patched": True})
    return _enter(decided, first_stage(decided), s.now)


def _is_told_to_promote(s: Situation) -> bool:
    """Whether a user ends the ramp now; a rolling update that has not begun would have nothing to promote."""
    begun = s.run.rolling is None or s.run.rolling.template != ""
    return s.run.phase in RAMPING and begun and s.view.wishes.promote == s.run.name


def _promoted_by_hand(s: Situation) -> Run:
    """Promote what is not decided yet, and keep in the story that a person did so and what was known."""
    verdict = s.evidence.verdict
    known = verdict.reason if verdict is not None else "nothing had been compared"
    conclusion = f"a user promoted it at {s.run.weight} % with the annotation promote; the judge so far: {known}"
    let_go = _skipped_to_switch(s.run.held(wanted=False, now=s.now))
    return _promote(s.of(let_go.model_copy(update={"conclusion": conclusion})))


def _skipped_to_switch(run: Run) -> Run:
    """Return a blue-green run at the step that gives green all requests; others may be promoted at any weight."""
    return run.model_copy(update={"step": switch_of(run.ramp)}) if run.strategy is Strategy.BLUE_GREEN else run


def _left_to_others(run: Run) -> str:
    """Say what a canary that has passed waits for where stable is not ours to patch."""
    if run.strategy is not Strategy.BRING_YOUR_OWN or run.policy.bring_your_own.patch_stable:
        return ""
    return f"; it keeps {run.weight} % until {run.stable} runs {', '.join(run.images.values())}: change it there"


def _abort(s: Situation, cause: Cause, reason: str) -> Run:
    aborted = s.run.on(Event.ABORT, reason, s.now).model_copy(update={"verdict": _verdict(s), "cause": cause})
    return _enter(aborted, first_stage(aborted), s.now)


def _verdict(s: Situation) -> str:
    """Return the judge's word; without one, nothing was concluded."""
    verdict = s.evidence.verdict
    if verdict is None or verdict.decision is Judgement.CONTINUE:
        return Judgement.INCONCLUSIVE.value
    return str(verdict.decision.value)


ENDINGS: dict[Phase, Callable[[Situation], Run]] = {
    Phase.STARTING: _routed,
    Phase.ANALYSING: _after_step,
    Phase.AWAITING_APPROVAL: _approved,
    Phase.PROMOTING: _finished,
    Phase.ABORTING: _finished,
}
"""What follows when a phase has gone through its program."""
