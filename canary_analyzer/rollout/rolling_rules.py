"""What a rolling run remembers of each look, what pauses it, and what makes it go back."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import Situation, goals, rolling, words
from canary_analyzer.rollout.rolling import Rolling, RollingView
from canary_analyzer.rollout.run import Run

COMPARING = frozenset({rolling.WARM_UP, rolling.ANALYSE})
"""Stages at which new pods serve beside old ones."""


def remembered(s: Situation) -> Run:
    """Return the run with what this look shows: which pods are which, how many serve, whether the pause is ours."""
    memory, seen = s.run.rolling, s.view.rolling
    if memory is None or seen is None:
        return s.run
    is_out = s.run.stage == rolling.ROLL_OUT and goals.stable_patched(s)
    known = replace(
        memory,
        old_pods=memory.old_pods or seen.old.hash,
        template=memory.template or (s.view.stable.template if is_out else ""),
        serving=seen.new.ready,
        paused=pause_reason(s) is not None or (memory.paused and seen.paused),
    )
    run = s.run.model_copy(update={"rolling": known, "weight": seen.percent})
    if known.template == s.view.stable.template and seen.new.hash:
        run = run.model_copy(update={"label": (run.label[0], seen.new.hash)})
    return _warming_up(run, memory, seen, s.now) if s.run.stage in COMPARING else run


def _warming_up(run: Run, before: Rolling, seen: RollingView, now: float) -> Run:
    """Return the run with its samples stopped where a pod has come that is still cold."""
    if seen.new.ready <= before.serving or run.phase is Phase.AWAITING_APPROVAL:
        return run
    noted = run.noting(f"{seen.new.ready} new and {seen.old.ready} old pods serve", now)
    return noted.at_stage(rolling.WARM_UP, now)


# Why a run waits -------------------------------------------------------------------------------------------------


def pause_reason(s: Situation) -> str | None:
    """Return why the rolling update must stand still now, old pods beside new ones, or None."""
    if s.run.stage not in COMPARING or s.run.phase not in (Phase.ANALYSING, Phase.HOLDING):
        return None
    if s.view.wishes.hold:
        return "the annotation hold is set"
    if s.evidence.unavailable:
        return f"no metrics, so nothing is known of the new pods: {s.evidence.unavailable}"
    return _thin_before_the_last(s)


def _thin_before_the_last(s: Situation) -> str | None:
    """With the last batch the old pods go for good: until there is enough to judge, they stay."""
    seen = s.view.rolling
    last_batch = seen is not None and seen.old.total > 0 and seen.new.total >= s.view.stable.replicas
    if seen is None or not last_batch or not goals.too_thin(s):
        return None
    return f"too little data for a verdict, so the last old pods ({seen.old.total}) stay: {words.undecided_because(s)}"


def hold_reason(s: Situation) -> str | None:
    """Return why the run is held now, or None."""
    memory, seen = s.run.rolling, s.view.rolling
    if s.run.stage == rolling.AWAIT_METRICS:
        return _before_it_begins(s)
    if memory is not None and seen is not None and seen.paused and not memory.paused:
        return f"somebody paused {s.run.deployment} (kubectl rollout resume deployment/{s.run.deployment} to go on)"
    return pause_reason(s)


def _before_it_begins(s: Situation) -> str | None:
    if s.view.wishes.hold:
        return "the annotation hold is set; nothing has been rolled out"
    if s.evidence.unavailable:
        return f"no metrics, so nothing is rolled out: {s.evidence.unavailable}"
    if s.evidence.share is None or s.evidence.share.total > 0:
        return None
    pods = s.run.rolling.old_pods if s.run.rolling is not None else ""
    return (
        f"no request is counted for the pods of {s.run.deployment}, so nothing is rolled out: is there traffic, and "
        f'does Prometheus know its proxies (reporter="destination") by pod_template_hash="{pods}"?'
    )


# Why a run goes back ---------------------------------------------------------------------------------------------


def until_complete(rule: Callable[[Situation], str | None]) -> Callable[[Situation], str | None]:
    """Ask a rule while stable rolls out; afterwards, what is left is to tell."""
    return wraps(rule)(lambda s: rule(s) if s.run.stage in (rolling.RELEASE_PACE, rolling.AWAIT_STABLE) else None)


def template_changed(s: Situation) -> str | None:
    """Somebody else changes what the run rolls out, or is compared with."""
    memory = s.run.rolling
    if memory is None or s.view.stable.template == (memory.template or s.run.stable_template):
        return None
    return f"the pod template of {s.run.deployment} was changed by somebody else during the run"


def new_pods_broken(s: Situation) -> str | None:
    """New pods cannot serve, or Kubernetes has given up on them."""
    if s.view.canary_trouble:
        return f"the new pods cannot serve: {s.view.canary_trouble}"
    if rolling.rolled_out(s) and s.view.stable.current and s.view.stable.failure:
        return f"{s.run.deployment} cannot roll out the new version: {s.view.stable.failure}"
    return None


def unjudged(s: Situation) -> str | None:
    """All pods are new and too little was seen: what nobody has looked at is not kept, and no more will be seen."""
    if s.run.stage not in COMPARING or s.run.phase is Phase.AWAITING_APPROVAL:
        return None
    if not rolling.old_pods_gone(s) or not goals.too_thin(s):
        return None
    return (
        f"too little data for a verdict before the last old pod went ({words.undecided_because(s)}); "
        f"more time: raise rolling.pace_seconds = {s.run.policy.rolling.pace_seconds}"
    )
