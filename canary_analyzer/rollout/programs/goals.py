"""What can be observed of a run's way, in the words that programs are made of."""

from math import ceil

from canary_analyzer.rollout.phases import RAMPING
from canary_analyzer.rollout.programs.stage import Situation
from canary_analyzer.rollout.run import Run

SETTLE_LIMIT = 6
"""Settle times after which a data plane that nobody can observe (no metrics) is taken to have followed."""


def canary_replicas(stable_replicas: int, weight: int) -> int:
    """Return how many canary pods a weight needs: its share of stable's size, at least 2 where stable has several."""
    return max(min(2, stable_replicas), ceil(stable_replicas * weight / 100))


def replicas_needed(s: Situation) -> int:
    """Return how many canary pods the present step needs."""
    return canary_replicas(s.view.stable.replicas, s.run.ramp_step.weight)


def canary_created(s: Situation) -> bool:
    """Whether the canary's Deployment and Service exist."""
    return s.view.canary is not None and s.view.canary_services


def canary_scaled(s: Situation) -> bool:
    """Whether the canary was given as many replicas as the step needs."""
    return s.view.canary is not None and s.view.canary.replicas >= replicas_needed(s)


def canary_available(s: Situation) -> bool:
    """Whether every canary pod is Available."""
    return s.view.canary is not None and s.view.canary.settled


def weight_set(s: Situation) -> bool:
    """Whether the live routes have the weight that the run wants."""
    return s.view.reached == s.run.weight


def settled(s: Situation) -> bool:
    """Whether the settle time is over and the observed share of requests agrees with the weight."""
    policy, share = s.run.policy, s.evidence.share
    if not s.run.routed:
        return True  # no proxy has ever heard of the canary
    if s.elapsed < policy.settle_seconds:
        return False
    if share is not None and share.agrees_with(s.view.weight or 0):
        return True
    # While the canary is judged, a data plane that does not follow holds the run; elsewhere nothing waits for ever.
    limit = SETTLE_LIMIT * policy.settle_seconds if share is None else policy.promote_seconds
    return s.run.phase not in RAMPING and s.elapsed >= limit


def step_over(s: Situation) -> bool:
    """Whether the step has had its time and its requests."""
    step = s.run.ramp_step
    return s.elapsed >= step.seconds and s.evidence.step_requests >= step.requests


def paused(s: Situation) -> bool:
    """Whether the settle time is over, whatever the share of requests."""
    return s.elapsed >= s.run.policy.settle_seconds


def drained(s: Situation) -> bool:
    """Whether no new request goes to the canary."""
    return s.view.weight == 0 or not s.view.routed


def off_route(s: Situation) -> bool:
    """Whether no route names the canary."""
    return not s.view.routed


def _runs_new_images(s: Situation) -> list[bool]:
    new = {name: image for name, image in s.run.images.items() if s.run.stable_images[name] != image}
    return [s.view.stable.images.get(name) == image for name, image in new.items()]


def stable_patched(s: Situation) -> bool:
    """Whether stable's template has every new image."""
    return all(_runs_new_images(s))


def stable_restored(s: Situation) -> bool:
    """Whether stable's template has no new image (any more)."""
    return not s.run.stable_patched or not any(_runs_new_images(s))


def stable_available(s: Situation) -> bool:
    """Whether stable is rolled out with the new images."""
    return stable_patched(s) and s.view.stable.settled


def stable_recovered(s: Situation) -> bool:
    """Whether stable can take all requests, or nobody else can.

    The canary goes on serving while stable recovers, if it can. A stable that we never touched, and a canary that
    cannot serve, are no reason to keep users on the canary.
    """
    serving = s.view.canary is not None and s.view.canary.available > 0
    return not s.run.stable_patched or s.view.stable.settled or not serving


def canary_deleted(s: Situation) -> bool:
    """Whether the canary's Deployment and every pod of it are gone."""
    return s.view.canary is None and s.view.canary_pods == 0


def services_deleted(s: Situation) -> bool:
    """Whether the canary's Service is gone."""
    return not s.view.canary_services


def closed(s: Situation) -> bool:
    """Whether the trigger is taken away and the outcome written."""
    return s.view.wishes.closed


def start_limit(run: Run) -> float:
    """Return how long a stage may take that has to do with the canary coming up, in seconds."""
    return run.policy.start_seconds


def promote_limit(run: Run) -> float:
    """Return how long a stage may take that has to do with stable rolling out, in seconds."""
    return run.policy.promote_seconds


# What to say when a goal is not reached in time ---------------------------------------------------------------------


def uncreated(s: Situation) -> str:
    """Say why the canary is not there."""
    return f"Deployment and Service {s.run.canary} could not be created: {s.view.write_trouble}"


def unavailable(s: Situation) -> str:
    """Say what the canary's pods wait for."""
    return f"the canary's pods did not become Available: {s.view.canary_unready}"


def unrouted(s: Situation) -> str:
    """Say which routes do not follow."""
    routes = ", ".join(str(route) for route in s.run.routes)
    return f"{routes} did not take the canary's weight; does it still exist?"


def unpatched(s: Situation) -> str:
    """Say why stable has not got its new image."""
    return f"{s.run.deployment} could not be given the new image: {s.view.write_trouble}"


def not_rolled_out(s: Situation) -> str:
    """Say what stable is late with."""
    return f"{s.run.deployment} did not roll out the promoted version"
