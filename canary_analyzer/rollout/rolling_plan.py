"""May a Deployment be rolled out under our eyes? No sibling, Service or route is needed; all objections at once."""

from collections.abc import Iterator

from canary_analyzer.rollout import annotations, rolling_spec, sibling
from canary_analyzer.rollout.plan import Offers, Refused, Surroundings, pointless, requested, run_name, unfit
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.rolling import POD_HASH
from canary_analyzer.rollout.run import Run
from canary_analyzer.routing import Document


def plan(deployment: Document, around: Surroundings, offers: Offers, number: int, now: float) -> Run:
    """Return the rolling run that the Deployment's annotations ask for, Pending; arguments as for `rollout.plan.plan`.

    Raises:
        Refused: with every objection.
    """
    objections = list(unfit(deployment, around.workload))
    request = requested(deployment, offers, objections)
    if request is not None:
        policy = request.policy
        objections += pointless(deployment, request.images)
        objections += rolling_spec.objections(deployment, policy.rolling.pace_seconds, policy.deadline_seconds)
        objections += _too_quick(policy)
        objections += _without_steps(policy)
    if objections or request is None:
        raise Refused(objections)
    metadata, found = deployment["metadata"], annotations.of(deployment)
    return Run(
        name=run_name(metadata["name"], number),
        namespace=metadata["namespace"],
        deployment=metadata["name"],
        uid=metadata.get("uid", ""),
        label=(POD_HASH, ""),
        strategy=request.strategy,
        rolling=rolling_spec.rolling(deployment, request.policy.rolling.pace_seconds),
        trigger=found[annotations.IMAGE],
        request=found.get(annotations.REQUEST),
        images=request.images,
        stable_images=sibling.container_images(deployment),
        stable_template=around.workload.template,
        stable_replicas=around.workload.replicas,
        policy=request.policy,
        started=now,
    )


def _too_quick(policy: RolloutPolicy) -> Iterator[str]:
    """A pace at which a batch of new pods is replaced before its figures are in."""
    pace, useful = policy.rolling.pace_seconds, policy.settle_seconds + 2 * policy.tick_seconds
    if 0 < pace < useful:
        yield (
            f"rolling.pace_seconds = {pace}: with settle_seconds and two ticks a batch of new pods is seen after "
            f"{useful:g} s only; give at least that, or 0 to leave minReadySeconds alone"
        )


def _without_steps(policy: RolloutPolicy) -> Iterator[str]:
    """What a policy may ask for between steps, of which a rolling update has none: Kubernetes sets its course."""
    hooks = policy.webhooks
    asked = {
        "approve_before_promotion": policy.approve_before_promotion,
        "webhooks.start": hooks.start,
        "webhooks.step": hooks.step,
        "webhooks.promotion": hooks.promotion,
    }
    for field in (field for field, value in asked.items() if value):
        yield f"{field}: a rolling update cannot stop for it; take it out, or use strategy canary or blue-green"
