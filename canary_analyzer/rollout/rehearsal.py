"""A policy as what `analysis.simulate` plays through."""

from canary_analyzer.analysis.ramp import FixedRamp, FixedStep, Ramp
from canary_analyzer.analysis.scenarios import Service
from canary_analyzer.analysis.simulate import Rehearsal
from canary_analyzer.rollout.policy import OnInconclusive, RolloutPolicy
from canary_analyzer.rollout.steps import PauseStep, Step


def rehearsal(policy: RolloutPolicy, service: Service) -> Rehearsal:
    """Return the canary run that a policy means for a service.

    Gates and approvals are answered at once; mirrored and matched requests are not judged, so they are left out, and so
    is a weight of 100 %, beside which there is no baseline.
    """
    return Rehearsal(
        policy=policy.analysis,
        ramp=_ramp(policy),
        service=service,
        settle_seconds=policy.settle_seconds,
        deadline_seconds=policy.deadline_seconds,
        promote_undecided=policy.on_inconclusive is OnInconclusive.PROMOTE,
    )


def _ramp(policy: RolloutPolicy) -> Ramp:
    """Return the adaptive ramp, or the weights; a pause lengthens the step before it."""
    if policy.adaptive is not None:
        return policy.adaptive
    steps: list[FixedStep] = []
    for step in policy.steps:
        if isinstance(step, Step) and step.weight < 100:
            steps.append(FixedStep(weight=step.weight, seconds=step.seconds, requests=step.requests))
        elif isinstance(step, PauseStep) and steps:
            last = steps[-1]
            steps[-1] = FixedStep(weight=last.weight, seconds=last.seconds + step.pause, requests=last.requests)
    return FixedRamp(steps=tuple(steps))
