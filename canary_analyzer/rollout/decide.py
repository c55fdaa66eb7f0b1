"""What a run does next: old run and what was seen in, new run and the writes it wants out."""

from collections.abc import Callable
from dataclasses import dataclass

from canary_analyzer.analysis import Decision as Judgement
from canary_analyzer.analysis import MetricState, Verdict
from canary_analyzer.rollout.actions import Action
from canary_analyzer.rollout.phases import RAMPING, Event, Phase
from canary_analyzer.rollout.policy import OnInconclusive
from canary_analyzer.rollout.programs import Situation, Stage, first_stage, stage_after, stage_named, stage_of
from canary_analyzer.rollout.rules import abort_reason
from canary_analyzer.rollout.run import Run, Window

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
    s = situation.of(interrupted(situation))
    while not s.run.ended and (following := _progress(s)) != s.run:
        s = s.of(following)
    action = None if s.run.ended else stage_of(s.run).action(s)
    return Decision(run=s.run, action=action)


def begin(run: Run, now: float) -> Run:
    """Return a Pending run, accepted and at its first stage."""
    accepted = run.on(Event.ACCEPT, f"started: {_versions(run)}", now)
    return _enter(accepted, first_stage(accepted), now)


def _versions(run: Run) -> str:
    return ", ".join(f"{name}: {run.stable_images[name]} -> {image}" for name, image in run.images.items())


# Interruptions ---------------------------------------------------------------------------------------------------


def interrupted(s: Situation) -> Run:
    """Return the run after whatever stops or holds it now; unchanged where nothing does."""
    if (reason := abort_reason(s)) is not None:
        return _abort(s, reason)
    if s.run.phase in (Phase.ANALYSING, Phase.HOLDING):
        s = s.of(_held(s))
    if not stage_of(s.run).given(s):
        return _undone(s)
    if s.run.phase is Phase.AWAITING_APPROVAL and s.view.wishes.approve == s.run.name:
        return _promote(s, f"approved: {s.run.reason}")
    return s.run


def _held(s: Situation) -> Run:
    """Freeze the ramp while a user or missing metrics ask for it."""
    run, because = s.run.held(s.view.wishes.hold, s.now), _hold_reason(s)
    if because is None:
        return run.on(Event.RESUME, "going on", s.now) if run.phase is Phase.HOLDING else run
    if run.phase is Phase.HOLDING:
        return run
    return run.on(Event.HOLD, f"holding at {s.view.weight or 0} %: {because}", s.now)


def _hold_reason(s: Situation) -> str | None:
    if s.view.wishes.hold:
        return "the annotation hold is set"
    if s.evidence.unavailable:
        return f"no metrics, so nothing is known of the canary: {s.evidence.unavailable}"
    return None


def _undone(s: Situation) -> Run:
    """Do again what somebody else undid; while the canary is judged a few times only, then take the hint."""
    if s.run.phase in RAMPING and s.run.reverts >= MOST_REVERTS:
        return _abort(
            s,
            f"somebody else changed the weights {MOST_REVERTS + 1} times (a GitOps tool? let it ignore "
            ".spec.http[].route of the VirtualService)",
        )
    found = "no canary in the route" if s.view.weight is None else f"weight {s.view.weight}"
    back = stage_named(s.run, stage_of(s.run).back)
    noted = s.run.noting(
        f"somebody else edited the route: found {found}, wanted {s.run.weight}; back to: {back.name}", s.now
    )
    counted = noted.model_copy(update={"reverts": s.run.reverts + (s.run.phase in RAMPING)})
    return _enter(counted, back, s.now)


# Progress --------------------------------------------------------------------------------------------------------


def _progress(s: Situation) -> Run:
    """Return the run one stage on, or unchanged where its stage has not reached its goal."""
    stage = stage_of(s.run)
    if (stage.holds and s.run.phase in WAITING) or not stage.done(s):
        return s.run
    following = stage_after(s.run)
    return _enter(s.run, following, s.now) if following is not None else ENDINGS[s.run.phase](s)


def _enter(run: Run, stage: Stage, now: float) -> Run:
    """Return the run at the stage, with the weight the stage wants and, for analysis, a new window of samples."""
    entered = run.at_stage(stage.name, now)
    if stage.weight is not None and (weight := stage.weight(run)) != run.weight:
        entered = entered.model_copy(update={"weight": weight}).noting(f"weight {weight} %", now)
    if stage.routes:
        entered = entered.model_copy(update={"routed": True})
    if stage.samples:
        entered = entered.model_copy(update={"windows": (*entered.windows, Window(since=now))})
    return entered


def _routed(s: Situation) -> Run:
    weights = ", ".join(str(step.weight) for step in s.run.ramp)
    routed = s.run.on(Event.ROUTED, f"the canary is in the route; its weight goes to {weights} %", s.now)
    return _held(s.of(_enter(routed, first_stage(routed), s.now)))


def _finished(s: Situation) -> Run:
    return s.run.on(Event.FINISH, s.run.reason, s.now)


def _after_step(s: Situation) -> Run:
    """Take the next step, or leave the ramp by the verdict."""
    if s.run.step + 1 < len(s.run.ramp):
        onward = s.run.model_copy(update={"step": s.run.step + 1})
        return _enter(onward, first_stage(onward), s.now)
    return _after_ramp(s)


def _after_ramp(s: Situation) -> Run:
    verdict = s.evidence.verdict
    if verdict is None or verdict.decision is Judgement.INCONCLUSIVE or _blind(verdict):
        return s.run  # too little data never promotes: the deadline sends traffic back
    if verdict.decision is Judgement.HEALTHY:
        return _passed(s, verdict.reason)
    match s.run.policy.on_inconclusive:
        case OnInconclusive.PROMOTE:
            return _passed(s, f"not shown to be worse: {verdict.reason}")
        case OnInconclusive.ABORT:
            return _abort(s, f"undecided at the end of the ramp, and the policy says abort: {verdict.reason}")
        case OnInconclusive.HOLD:
            return _ask(s, f"undecided at the end of the ramp: {verdict.reason}")


def _blind(verdict: Verdict) -> bool:
    """Whether some metric has no data at all: what nobody has looked at is not shown to be good."""
    return any(metric.state is MetricState.NO_DATA for metric in verdict.metrics)


def _passed(s: Situation, reason: str) -> Run:
    return _ask(s, reason) if s.run.policy.approve_before_promotion else _promote(s, reason)


def _ask(s: Situation, reason: str) -> Run:
    asked = s.run.on(Event.ASK_APPROVAL, f"waiting for approval (annotation approve: {s.run.name}); {reason}", s.now)
    return asked.model_copy(update={"verdict": _verdict(s)})


def _promote(s: Situation, reason: str) -> Run:
    promoted = s.run.on(Event.PROMOTE, reason, s.now)
    decided = promoted.model_copy(update={"verdict": _verdict(s), "stable_patched": True})
    return _enter(decided, first_stage(decided), s.now)


def _abort(s: Situation, reason: str) -> Run:
    aborted = s.run.on(Event.ABORT, reason, s.now).model_copy(update={"verdict": _verdict(s)})
    return _enter(aborted, first_stage(aborted), s.now)


def _verdict(s: Situation) -> str:
    """Return the judge's word; without one, nothing was concluded."""
    verdict = s.evidence.verdict
    if verdict is None or verdict.decision is Judgement.CONTINUE:
        return Judgement.INCONCLUSIVE.value
    return str(verdict.decision.value)


WAITING = frozenset({Phase.HOLDING, Phase.AWAITING_APPROVAL})

ENDINGS: dict[Phase, Callable[[Situation], Run]] = {
    Phase.STARTING: _routed,
    Phase.ANALYSING: _after_step,
    Phase.PROMOTING: _finished,
    Phase.ABORTING: _finished,
}
"""What follows when a phase has gone through its program."""
