"""What sends back a canary that the user brought, beside what sends back any canary."""

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.programs import Situation, byo, goals


def canary_changed(s: Situation) -> str | None:
    """The canary is no longer the version that has been judged."""
    canary = s.view.canary
    if canary is None or canary.template == s.run.canary_template:
        return None
    return f"the pod template of {s.run.canary} was changed during the run; a new run will judge the new one"


def bad_while_waiting(s: Situation) -> str | None:
    """The canary turns bad after it has passed, while stable waits for its image."""
    verdict = s.evidence.verdict
    if s.run.stage != byo.AWAIT_IMAGE or verdict is None or verdict.decision is not Decision.ABORT:
        return None
    return verdict.reason


def image_taken_back(s: Situation) -> str | None:
    """Stable had the canary's images and has lost them again."""
    if s.run.stage in (byo.HOLD_WEIGHT, byo.AWAIT_IMAGE) or goals.stable_patched(s):
        return None
    return f"the image of {s.run.stable} was changed again while it was rolling out the promoted version"


def stable_stuck(s: Situation) -> str | None:
    """Stable cannot roll out what we gave it; what Git gave it Git has to take back, and the canary goes on serving."""
    stable = s.view.stable
    if not byo.may_patch(s.run) or s.run.stage != "await stable" or stable.settled or not stable.failure:
        return None
    return f"{s.run.stable} could not roll out the promoted version: {stable.failure}"
