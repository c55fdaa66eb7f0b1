"""What is said of a run's way: why a goal was not reached in time, and what is still waited for."""

from canary_analyzer.rollout.programs.goals import replicas_needed
from canary_analyzer.rollout.programs.stage import Situation


def undecided_because(s: Situation) -> str:
    """Say why there is no verdict."""
    if s.evidence.unavailable:
        return f"no metrics: {s.evidence.unavailable}"
    return s.evidence.verdict.reason if s.evidence.verdict is not None else "no requests were seen"


# What to say when a goal is not reached in time ---------------------------------------------------------------------


def uncreated(s: Situation) -> str:
    """Say why the canary is not there."""
    return f"Deployment and Service {s.run.canary} could not be created: {s.view.write_trouble}"


def unscaled(s: Situation) -> str:
    """Say why the canary has not got its size."""
    trouble = s.view.write_trouble or "somebody else sets another number"
    return f"{s.run.canary} could not be given {replicas_needed(s)} replicas: {trouble}"


def unavailable(s: Situation) -> str:
    """Say what the canary's pods wait for."""
    return f"the canary's pods did not become Available: {s.view.canary_unready}"


def unrouted(s: Situation) -> str:
    """Say which routes do not follow."""
    routes = ", ".join(str(route) for route in s.run.routes)
    return f"{routes} could not be given the canary's weight: {s.view.write_trouble}"


def not_held(s: Situation) -> str:
    """Say that an abort could meet a stable that has shrunk."""
    return (
        f"the autoscaler of {s.run.stable} could not be kept from shrinking it below {s.run.stable_replicas}: "
        f"{s.view.write_trouble or 'somebody else sets minReplicas'}"
    )


def unpatched(s: Situation) -> str:
    """Say why stable has not got its new image."""
    return f"{s.run.deployment} could not be given the new image: {s.view.write_trouble}"


def not_rolled_out(s: Situation) -> str:
    """Say what stable is late with."""
    return f"{s.run.deployment} did not roll out the promoted version"


# What to say when a stage without a limit takes long: "still waiting for ..." -----------------------------------------


def drain(s: Situation) -> str:
    """Say which routes still lead to the canary."""
    return f"{_routes(s)} to send no request to the canary{_trouble(s)}"


def way_back(s: Situation) -> str:
    """Say which routes are still ours."""
    return f"{_routes(s)} to be as their owner had them{_trouble(s)}"


def floor(s: Situation) -> str:
    """Say which autoscaler is still held."""
    return f"the autoscaler of {s.run.stable} to have its own minReplicas again{_trouble(s)}"


def pods_gone(s: Situation) -> str:
    """Say what is left of the canary's Deployments."""
    left = f"{s.view.canary_pods} pods are left; a finalizer, or a node that does not answer?"
    return f"the canary {s.run.canary} to be gone{_trouble(s) or f' ({left})'}"


def services_gone(s: Situation) -> str:
    """Say that Services are left."""
    return f"the Service {s.run.canary_service} to be gone{_trouble(s)}"


def shelter(s: Situation) -> str:
    """Say what has to be before stable is given its old version."""
    return f"the canary to have its weight of {s.run.weight} % again{_trouble(s)}"


def old_images(s: Situation) -> str:
    """Say that stable still has new images."""
    return f"{s.run.stable} to be given its old image{_trouble(s)}"


def recovery(s: Situation) -> str:
    """Say how far stable has come back."""
    stable = s.view.stable
    found = (
        f"{stable.available} of {stable.replicas} pods are Available{f'; {stable.failure}' if stable.failure else ''}"
    )
    return f"{s.run.stable} to be rolled out with its old version ({found})"


def closing(s: Situation) -> str:
    """Say which annotations could not be written."""
    return f"the annotations of {s.run.deployment} to say how it ended{_trouble(s)}"


def _routes(s: Situation) -> str:
    return ", ".join(map(str, s.run.routes)) or "the routes"


def _trouble(s: Situation) -> str:
    return f" ({s.view.write_trouble})" if s.view.write_trouble else ""
