"""What a run does next: old run and what was seen in, new run and the writes it wants out."""

from collections.abc import Callable
from dataclasses import dataclass

from canary_analyzer.analysis import Decision as Judgement
from canary_analyzer.analysis import MetricState, Verdict
from canary_analyzer.rollout.actions import Action
from canary_analyzer.rollout.phases import RAMPING, Event, Phase
from canary_analyzer.rollout.policy import OnInconclusive
from canary_analyzer.rollout.run import Run, Window
from canary_analyzer.rollout.stages import (
    ANALYSE,
    DRAIN,
    PROGRAMS,
    ROUTE,
    Situation,
    Stage,
    stable_patched,
    stage_after,
    stage_of,
    weight_set,
)

MOST_REVERTS = 3
"""So often our weights are put back again before we take somebody else's edits for an intention."""

ABORTABLE = RAMPING | {Phase.STARTING}
"""Later, stable already carries the new image and what is left is to tidy up."""


Rule = Callable[[Situation], str | None]
"""A reason to abort, or None."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The run to record, and then the write to make, if any."""

    run: Run
    action: Action | None


def decide(situation: Situation) -> Decision:
    """Take the run as far as what was seen allows, and name the write that leads on.

    Order: what ends or holds the run comes first (`interrupted`), then the stages whose goals are already reached.
    """
    s = _with(situation, interrupted(situation))
    while not s.run.ended and (following := _progress(s)) != s.run:
        s = _with(s, following)
    action = None if s.run.ended else stage_of(s.run).action(s)
    return Decision(run=s.run, action=action)


def begin(run: Run, now: float) -> Run:
    """Return a Pending run, accepted and at its first stage."""
    accepted = run.on(Event.ACCEPT, f"started: {_versions(run)}", now)
    return _enter(accepted, PROGRAMS[Phase.STARTING][0], now)


def _with(s: Situation, run: Run) -> Situation:
    return Situation(run=run, view=s.view, evidence=s.evidence, now=s.now)


def _versions(run: Run) -> str:
    return ", ".join(f"{name}: {run.stable_images[name]} -> {image}" for name, image in run.images.items())


# Interruptions ---------------------------------------------------------------------------------------------------


def interrupted(s: Situation) -> Run:
    """Return the run after whatever stops or holds it now; unchanged where nothing does."""
    if (reason := abort_reason(s)) is not None:
        return _abort(s, reason)
    if not stage_of(s.run).given(s):
        undone = s.run.noting(f"somebody else edited the route at stage {s.run.stage}: draining again", s.now)
        return _enter(undone, DRAIN, s.now)
    if s.run.phase in (Phase.ANALYSING, Phase.HOLDING):
        return _reverted(_with(s, _held(s)))
    if s.run.phase is Phase.AWAITING_APPROVAL and s.view.wishes.approve == s.run.name:
        return _promote(s, f"approved: {s.run.reason}")
    return s.run


def abort_reason(s: Situation) -> str | None:
    """Return why the run must be aborted now, or None."""
    if s.run.phase in ABORTABLE:
        rules: tuple[Rule, ...] = (_withdrawn, _stable_changed, _canary_broken, _judged_bad, _late, _overdue)
    elif s.run.phase is Phase.PROMOTING and s.run.weight > 0:  # not yet drained
        rules = (_withdrawn, _promotion_undone, _canary_broken, _promotion_stuck, _late)
    else:
        return None
    return next((reason for rule in rules if (reason := rule(s)) is not None), None)


def _withdrawn(s: Situation) -> str | None:
    wishes = s.view.wishes
    if wishes.abort == s.run.name:
        return "a user asked for it with the annotation abort"
    if wishes.trigger is None:
        return "the annotation image was removed"
    if wishes.trigger != s.run.trigger:
        return f"the annotation image was changed from {s.run.trigger} to {wishes.trigger}"
    return None


def _stable_changed(s: Situation) -> str | None:
    if s.view.stable.template == s.run.stable_template:
        return None
    return (
        f"the pod template of {s.run.deployment} was changed during the run; annotate again to compare with the new one"
    )


def _canary_broken(s: Situation) -> str | None:
    if s.view.canary_trouble:
        return f"the canary's pods cannot serve: {s.view.canary_trouble}"
    if s.view.canary is None and s.run.phase is not Phase.STARTING:
        return f"the canary Deployment {s.run.canary} was deleted by somebody else"
    return None


def _judged_bad(s: Situation) -> str | None:
    verdict = s.evidence.verdict
    return verdict.reason if verdict is not None and verdict.decision is Judgement.ABORT else None


def _overdue(s: Situation) -> str | None:
    waits_for_people = s.run.held_since is not None or s.run.phase is Phase.AWAITING_APPROVAL
    if not waits_for_people and s.now - s.run.started - s.run.held_seconds > s.run.policy.deadline_seconds:
        return f"no verdict within {s.run.policy.deadline_seconds:.0f} s, traffic goes back: {_undecided_because(s)}"
    return None


def _promotion_undone(s: Situation) -> str | None:
    if s.run.stage == "patch stable" or stable_patched(s):
        return None
    return f"somebody else changed the image of {s.run.deployment} while it was rolling out the promoted version"


def _promotion_stuck(s: Situation) -> str | None:
    if s.run.stage != "await stable" or s.view.stable.settled or not s.view.stable.failure:
        return None
    return f"{s.run.deployment} could not roll out the promoted version: {s.view.stable.failure}"


def _late(s: Situation) -> str | None:
    """Return what has not happened within the stage's limit."""
    stage = stage_of(s.run)
    if stage.limit is None or s.elapsed <= stage.limit(s.run) or stage.done(s):
        return None
    return f"within {stage.limit(s.run):.0f} s, {stage.late(s)}"


def _undecided_because(s: Situation) -> str:
    if s.evidence.unavailable:
        return f"no metrics: {s.evidence.unavailable}"
    return s.evidence.verdict.reason if s.evidence.verdict is not None else "no requests were seen"


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


def _reverted(s: Situation) -> Run:
    """Put a weight that somebody else changed back, a few times; then take the hint."""
    if s.run.stage not in ("settle weight", ANALYSE.name) or weight_set(s):
        return s.run
    if s.run.reverts >= MOST_REVERTS:
        return _abort(
            s,
            f"somebody else changed the weights {MOST_REVERTS + 1} times (a GitOps tool? let it ignore "
            ".spec.http[].route of the VirtualService)",
        )
    found = "no canary in the route" if s.view.weight is None else f"weight {s.view.weight}"
    again = s.run.noting(f"somebody else edited the route: found {found}, wanted {s.run.weight}", s.now)
    counted = again.model_copy(update={"reverts": s.run.reverts + 1})
    return counted.at_stage("shift weight", s.now)


# Progress --------------------------------------------------------------------------------------------------------


def _progress(s: Situation) -> Run:
    """Return the run one stage on, or unchanged where its stage has not reached its goal."""
    if s.run.phase in (Phase.HOLDING, Phase.AWAITING_APPROVAL) and s.run.stage == ANALYSE.name:
        return s.run
    if s.run.phase is Phase.HOLDING and s.run.stage in ("scale canary", "await scaled canary"):
        return s.run
    stage = stage_of(s.run)
    if stage is ANALYSE:
        return _after_step(s)
    if not stage.done(s):
        return s.run
    following = stage_after(s.run)
    return _enter(s.run, following, s.now) if following is not None else _after_program(s)


def _enter(run: Run, stage: Stage, now: float) -> Run:
    """Return the run at the stage, with the weight the stage wants and, for analysis, a new window of samples."""
    entered = run.at_stage(stage.name, now)
    if stage.weight is not None:
        weight = stage.weight(run)
        entered = entered.model_copy(update={"weight": weight}).noting(f"weight {weight} %", now)
    if stage is ROUTE:
        entered = entered.model_copy(update={"routed": True})
    if stage is ANALYSE:
        entered = entered.model_copy(update={"windows": (*entered.windows, Window(since=now))})
    return entered


def _after_program(s: Situation) -> Run:
    if s.run.phase is Phase.STARTING:
        weights = ", ".join(str(step.weight) for step in s.run.policy.steps)
        routed = s.run.on(Event.ROUTED, f"the canary is in the route; its weight goes to {weights} %", s.now)
        return _held(_with(s, _enter(routed, PROGRAMS[Phase.ANALYSING][0], s.now)))
    return s.run.on(Event.FINISH, s.run.reason, s.now)


def _after_step(s: Situation) -> Run:
    """Leave a step when its time and its requests are there; leave the ramp by the verdict."""
    step = s.run.ramp_step
    if s.elapsed < step.seconds or s.evidence.step_requests < step.requests:
        return s.run
    if s.run.step + 1 < len(s.run.policy.steps):
        onward = s.run.model_copy(update={"step": s.run.step + 1})
        return _enter(onward, PROGRAMS[Phase.ANALYSING][0], s.now)
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
    return _enter(decided, PROGRAMS[Phase.PROMOTING][0], s.now)


def _abort(s: Situation, reason: str) -> Run:
    aborted = s.run.on(Event.ABORT, reason, s.now).model_copy(update={"verdict": _verdict(s)})
    return _enter(aborted, PROGRAMS[Phase.ABORTING][0], s.now)


def _verdict(s: Situation) -> str:
    """Return the judge's word; without one, nothing was concluded."""
    verdict = s.evidence.verdict
    if verdict is None or verdict.decision is Judgement.CONTINUE:
        return Judgement.INCONCLUSIVE.value
    return str(verdict.decision.value)
