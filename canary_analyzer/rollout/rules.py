"""What ends a run before its time, or holds it: by strategy and phase, the rules that are asked in order."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import wraps

from canary_analyzer.analysis import Decision as Judgement
from canary_analyzer.rollout import byo_rules, rolling_rules
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.gates import due
from canary_analyzer.rollout.phases import RAMPING, Phase
from canary_analyzer.rollout.programs import Situation, is_leaving, ramp, stage_of
from canary_analyzer.rollout.programs.goals import stable_patched
from canary_analyzer.rollout.programs.words import undecided_because
from canary_analyzer.rollout.strategy import Strategy

_SWITCH = frozenset(stage.name for stage in ramp.SWITCH)

Rule = Callable[[Situation], str | None]
"""A reason to abort (or to hold), or None."""


def abort_reason(s: Situation) -> tuple[Cause, str] | None:
    """Return why the run must be aborted now, or None."""
    rules = RULES.get((s.run.strategy, s.run.phase), ())
    return next(((CAUSES[inspect.unwrap(rule)], why) for rule in rules if (why := rule(s)) is not None), None)


def hold_reason(s: Situation) -> str | None:
    """Return why the run must stay where it is now, or None."""
    if s.run.strategy is Strategy.ROLLING:
        return rolling_rules.hold_reason(s)
    if s.view.wishes.hold:
        return "the annotation hold is set"
    if s.evidence.unavailable:
        return f"no metrics, so nothing is known of the canary: {s.evidence.unavailable}"
    return gate_closed(s)


def gate_closed(s: Situation) -> str | None:
    """Some webhook has not said yes; it is asked again."""
    closed = [f"{c.webhook} {s.view.answers[c.key].text}" for c in due(s.run) if c.key in s.view.answers]
    return f"a webhook has not said yes and is asked again: {', '.join(closed)}" if closed else None


def gate_refused(s: Situation) -> str | None:
    """Some webhook has said no, and the service's config takes that for its last word."""
    answers = {call.webhook: s.view.answers.get(call.key) for call in due(s.run)}
    said_no = [f"{name} {each.text}" for name, each in answers.items() if each is not None and each.final]
    return f"a webhook has refused: {', '.join(said_no)}" if said_no else None


def withdrawn(s: Situation) -> str | None:
    """A user takes the wish back."""
    wishes = s.view.wishes
    if wishes.abort == s.run.name:
        return "a user asked for it with the annotation abort"
    trigger = "baseline" if s.run.baseline else "image"
    if wishes.trigger is None:
        return f"the annotation {trigger} was removed"
    if wishes.trigger != s.run.trigger:
        return f"the annotation {trigger} was changed from {s.run.trigger} to {wishes.trigger}"
    return None


def stable_changed(s: Situation) -> str | None:
    """Stable is no longer the version that the canary is compared with."""
    if s.view.stable.template == s.run.stable_template:
        return None
    return f"the pod template of {s.run.stable} was changed during the run; annotate again to compare with the new one"


def canary_broken(s: Situation) -> str | None:
    """The canary cannot serve, or somebody has deleted a part of it."""
    if s.view.canary_trouble:
        return f"the canary's pods cannot serve: {s.view.canary_trouble}"
    deleted = next(_deleted_by_others(s), None)
    return f"{deleted} was deleted by somebody else" if deleted is not None else None


def _deleted_by_others(s: Situation) -> Iterator[str]:
    """Name what is gone, or serves on only until its requests have been sent back."""
    to_be_made = s.run.phase is Phase.STARTING
    parts = [(f"the canary Deployment {s.run.canary}", s.view.canary)]
    if s.run.fresh is not None:
        parts.append((f"the baseline Deployment {s.run.fresh.name}", s.view.fresh))
    for name, part in parts:
        if part.deleted if part is not None else not to_be_made:
            yield name
    if not (to_be_made or s.run.baseline or s.view.canary_services):
        yield f"the canary's Service {s.run.canary_service}"


def judged_bad(s: Situation) -> str | None:
    """The judge has shown that the new version is worse."""
    verdict = s.evidence.verdict
    return verdict.reason if verdict is not None and verdict.decision is Judgement.ABORT else None


def overdue(s: Situation) -> str | None:
    """The whole run takes too long; what people make it wait for does not count."""
    if s.run.deadline is not None and s.now > s.run.deadline:
        return f"no verdict within {s.run.policy.deadline_seconds:.0f} s, traffic goes back: {undecided_because(s)}"
    return None


def promotion_undone(s: Situation) -> str | None:
    """Somebody takes the promoted version away again."""
    if s.run.stage == "patch stable" or stable_patched(s):
        return None
    return f"somebody else changed the image of {s.run.deployment} while it was rolling out the promoted version"


def promotion_stuck(s: Situation) -> str | None:
    """Stable cannot roll the promoted version out."""
    if s.run.stage != "await stable" or s.view.stable.settled or not s.view.stable.failure:
        return None
    return f"{s.run.deployment} could not roll out the promoted version: {s.view.stable.failure}"


def route_deleted(s: Situation) -> str | None:
    """Nobody routes by what the run has edited any more."""
    missing = ", ".join(map(str, s.view.missing_routes))
    return f"somebody else deleted {missing}; without it nothing says how much the canary gets" if missing else None


def late(s: Situation) -> str | None:
    """What has not happened within the stage's limit; a service that was away for so long tries once more."""
    stage = stage_of(s.run)
    if stage.limit is None or s.elapsed <= stage.limit(s.run) or stage.done(s) or s.view.first_look:
        return None
    return f"within {stage.limit(s.run):.0f} s, {stage.late(s)}"


def _until_leaving(rule: Rule) -> Rule:
    """Ask the rule until the way out begins, whatever the weight; from then on, what is left is to tidy up."""
    return wraps(rule)(lambda s: None if is_leaving(s.run) else rule(s))


def _at_the_switch(rule: Rule) -> Rule:
    """Ask the rule while green takes over, with stable as it was."""
    return wraps(rule)(lambda s: rule(s) if s.run.stage in _SWITCH else None)


def _past_the_switch(rule: Rule) -> Rule:
    """Ask the rule once green has all requests."""
    return wraps(rule)(lambda s: None if s.run.stage in _SWITCH else rule(s))


_ON_THE_RAMP: tuple[Rule, ...] = (
    withdrawn,
    stable_changed,
    canary_broken,
    route_deleted,
    judged_bad,
    gate_refused,
    late,
    overdue,
)
_PROMOTING: tuple[Rule, ...] = tuple(
    _until_leaving(rule) for rule in (withdrawn, promotion_undone, canary_broken, promotion_stuck, late)
)
_PROMOTING_GREEN: tuple[Rule, ...] = tuple(
    _until_leaving(rule)
    for rule in (
        withdrawn,
        _at_the_switch(stable_changed),
        _at_the_switch(route_deleted),
        _past_the_switch(promotion_undone),
        canary_broken,
        promotion_stuck,
        late,
    )
)

_BROUGHT: tuple[Rule, ...] = (*_ON_THE_RAMP, byo_rules.canary_changed)
_BROUGHT_PASSED: tuple[Rule, ...] = tuple(
    _until_leaving(rule)
    for rule in (
        withdrawn,
        canary_broken,
        byo_rules.canary_changed,
        byo_rules.image_taken_back,
        byo_rules.bad_while_waiting,
        byo_rules.stable_stuck,
        late,
    )
)

_ROLLING: tuple[Rule, ...] = (
    withdrawn,
    rolling_rules.template_changed,
    rolling_rules.new_pods_broken,
    judged_bad,
    rolling_rules.unjudged,
    late,
    overdue,
)
_ROLLED_OUT: tuple[Rule, ...] = tuple(
    rolling_rules.until_complete(rule)
    for rule in (withdrawn, rolling_rules.template_changed, rolling_rules.new_pods_broken, late)
)

RULES: dict[tuple[Strategy, Phase], tuple[Rule, ...]] = {
    **{(Strategy.CANARY, phase): _ON_THE_RAMP for phase in RAMPING | {Phase.STARTING}},
    (Strategy.CANARY, Phase.PROMOTING): _PROMOTING,
    **{(Strategy.BLUE_GREEN, phase): _ON_THE_RAMP for phase in RAMPING | {Phase.STARTING}},
    (Strategy.BLUE_GREEN, Phase.PROMOTING): _PROMOTING_GREEN,
    **{(Strategy.BRING_YOUR_OWN, phase): _BROUGHT for phase in RAMPING | {Phase.STARTING}},
    (Strategy.BRING_YOUR_OWN, Phase.PROMOTING): _BROUGHT_PASSED,
    **{(Strategy.ROLLING, phase): _ROLLING for phase in RAMPING | {Phase.STARTING}},
    (Strategy.ROLLING, Phase.PROMOTING): _ROLLED_OUT,
}
"""Phases without rules cannot be aborted: nothing is left to give back, or it is being given back."""

CAUSES: Mapping[Rule, Cause] = {
    withdrawn: Cause.WITHDRAWN,
    stable_changed: Cause.STABLE_CHANGED,
    canary_broken: Cause.CANARY_BROKEN,
    route_deleted: Cause.ROUTE_DELETED,
    judged_bad: Cause.JUDGED_WORSE,
    gate_refused: Cause.REFUSED_BY_WEBHOOK,
    late: Cause.LATE,
    overdue: Cause.UNDECIDED,
    promotion_undone: Cause.STABLE_CHANGED,
    promotion_stuck: Cause.NOT_ROLLED_OUT,
    byo_rules.canary_changed: Cause.STABLE_CHANGED,
    byo_rules.image_taken_back: Cause.STABLE_CHANGED,
    byo_rules.bad_while_waiting: Cause.JUDGED_WORSE,
    byo_rules.stable_stuck: Cause.NOT_ROLLED_OUT,
    rolling_rules.template_changed: Cause.STABLE_CHANGED,
    rolling_rules.new_pods_broken: Cause.CANARY_BROKEN,
    rolling_rules.unjudged: Cause.UNDECIDED,
}
"""What each rule's reason is an instance of."""
