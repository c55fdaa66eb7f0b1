"""What to do next about a run, for who reads its reason at night."""

import shlex
from collections.abc import Mapping

from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.strategy import Strategy


def what_now(run: Run) -> str:
    """Return the next step, in a sentence or two; commands in it can be pasted into a shell."""
    text = _AFTER_ABORT[run.cause or Cause.LATE] if run.phase is Phase.ABORTED else _MEANWHILE[_standing(run)]
    return text.format(
        run=run,
        again=_again(run),
        stop=f"To send traffic back now: {_annotate(run, annotations.ABORT, run.name)}",
        approve=_annotate(run, annotations.APPROVE, run.name),
        resume=_annotate(run, annotations.HOLD, None),
        routes=", ".join(map(str, run.routes)) or "the routes",
        images=", ".join(run.images.values()),
        config=annotations.CONFIG,
    )


def in_sight(run: Run) -> str:
    """Return the line of JSON that users read in the annotation `status`: where a run is, why, and what to do next."""
    return annotations.status_line(
        run=run.name,
        phase=run.phase,
        weight=run.weight,
        verdict=run.verdict,
        reason=run.reason,
        waiting=run.waiting,
        advice=what_now(run),
    )


def _standing(run: Run) -> str:
    """Name the text for a run that has not been sent back."""
    if run.phase is Phase.HOLDING:
        return "held by a person" if run.held_since is not None else "held"
    if run.phase is Phase.PROMOTING and run.strategy is Strategy.BRING_YOUR_OWN:
        return "promoting" if run.policy.bring_your_own.patch_stable else "promoting by Git"
    return {
        Phase.AWAITING_APPROVAL: "awaiting approval",
        Phase.PROMOTING: "promoting",
        Phase.SUCCEEDED: "succeeded",
        Phase.ABORTING: "aborting",
    }.get(run.phase, "going on")


_MEANWHILE: Mapping[str, str] = {
    "going on": "Nothing to do: it goes on by itself. {stop}",
    "held": "It goes on by itself as soon as that is over, and goes back at its deadline. {stop}",
    "held by a person": "It goes on when the hold is taken away: {resume}. {stop}",
    "awaiting approval": "Look at the figures, then let it go on: {approve}. {stop}",
    "promoting": "Nothing to do: {run.stable} rolls out the new version, the canary serves until then. {stop}",
    "promoting by Git": "Give {run.stable} what has passed ({images}); the canary keeps its weight until then. {stop}",
    "succeeded": "Nothing to do: {run.stable} runs the new version, and the run has left no trace.",
    "aborting": "Nothing to do yet: traffic goes back to the old version, then the canary is taken away.",
}

_AFTER_ABORT: Mapping[Cause, str] = {
    Cause.JUDGED_WORSE: (
        "Traffic is back on the old version. See what the canary's pods and their last log lines say, mend the version "
        "and annotate the new image; if so much is acceptable, raise that tolerance under `analysis` in `{config}`. "
        "{again}"
    ),
    Cause.UNDECIDED: (
        "Traffic is back on the old version. Find out why there was too little to judge by: no metrics, little "
        "traffic, or a difference close to the tolerance. Larger weights or longer steps give more requests; "
        "`canary-analyzer calibrate` says how many it takes. {again}"
    ),
    Cause.CANARY_BROKEN: (
        "Traffic is on the old version. See the state, Events and last log lines of the canary's pods, mend the "
        "version and annotate the new image. {again}"
    ),
    Cause.LATE: (
        "Traffic is on the old version. Find out what kept it; start_seconds and promote_seconds in `{config}` say how "
        "long things may take. {again}"
    ),
    Cause.WITHDRAWN: "Nothing to do: this was a person's wish. {again}",
    Cause.STABLE_CHANGED: (
        "See who changed it: `kubectl rollout history deployment/{run.stable} -n {run.namespace}`. {again}"
    ),
    Cause.REFUSED_BY_WEBHOOK: "Ask whoever runs the webhook why it refused. {again}",
    Cause.REVERTED: "Let the tool that manages {routes} leave the weights of our routes alone. {again}",
    Cause.ROUTE_DELETED: "Create {routes} again, or find out which tool deletes it. {again}",
    Cause.NOT_ROLLED_OUT: (
        "The canary was fine where it ran, so look for what differs: quota, nodes, volumes "
        "(`kubectl describe deployment/{run.stable} -n {run.namespace}`). {again}"
    ),
}


def _again(run: Run) -> str:
    if run.baseline:
        return f"To judge again, change the pod template of {run.deployment}."
    return f"To start again: {_annotate(run, annotations.IMAGE, run.trigger)}"


def _annotate(run: Run, key: str, value: str | None) -> str:
    change = f"{key}-" if value is None else f"{key}={value}"
    return f"`kubectl annotate deployment/{run.deployment} -n {run.namespace} --overwrite {shlex.quote(change)}`"
