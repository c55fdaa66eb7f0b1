"""May a canary that the user brought be judged, and by which routes? All objections at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from canary_analyzer import routing
from canary_analyzer.rollout import annotations, sibling
from canary_analyzer.rollout.plan import (
    Offers,
    Refused,
    Surroundings,
    pods_of,
    run_name,
    unfit,
    unknown_webhooks,
    unpromotable,
)
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.ramp import all_traffic
from canary_analyzer.rollout.run import RouteRef, Run
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.rollout.view import Workload
from canary_analyzer.routing import Document


@dataclass(frozen=True, kw_only=True)
class Brought:
    """The user's two Deployments, and what is around them."""

    canary: Document
    """With the annotation `baseline`."""
    stable: Document | None
    """The Deployment that the annotation names; None where there is none."""
    stable_workload: Workload | None
    around: Surroundings
    """Of the canary."""
    busy: str = ""
    """Name of the run that compares with `stable` now; empty where none does."""


def is_asked(canary: Document, workload: Workload, ended: Sequence[Run]) -> bool:
    """Whether a canary that the user brought is there to be judged, for the first time in its present form.

    The annotation stays, being the user's and in his Git. So a pod template that was judged is not judged again, unless
    the annotation `request` says anew that it is wanted.
    """
    found, template = annotations.of(canary), sibling.template_hash(canary)
    if annotations.BASELINE not in found or not workload.settled or workload.replicas == 0:
        return False
    wish = found.get(annotations.REQUEST)
    return not any(run.canary_template == template and run.request == wish for run in ended)


def plan(brought: Brought, offers: Offers, number: int, now: float) -> Run:
    """Return the run that judges the canary, Pending.

    Args:
        brought: the two Deployments and their surroundings.
        offers: what annotations can choose from.
        number: of the run, counted per canary Deployment.
        now: seconds since the epoch.

    Raises:
        Refused: with every objection.
    """
    canary, found = brought.canary, annotations.of(brought.canary)
    objections = list(_unfit_baseline(brought))
    policy = _policy(canary, offers, objections)
    name = run_name(canary["metadata"]["name"], number)
    target, routes = _routes(brought, policy, name, objections)
    if objections or policy is None or target is None or brought.stable is None or brought.stable_workload is None:
        raise Refused(objections)
    stable_images = sibling.container_images(brought.stable)
    images = {c: image for c, image in sibling.container_images(canary).items() if c in stable_images}
    return Run(
        name=name,
        namespace=canary["metadata"]["namespace"],
        deployment=canary["metadata"]["name"],
        uid=canary["metadata"].get("uid", ""),
        baseline=brought.stable["metadata"]["name"],
        service=target.stable,
        canary=canary["metadata"]["name"],
        canary_service=target.canary,
        label=_label(canary),
        target=target,
        strategy=Strategy.BRING_YOUR_OWN,
        routes=routes,
        trigger=found[annotations.BASELINE],
        request=found.get(annotations.REQUEST),
        images=images,
        stable_images={c: stable_images[c] for c in images},
        stable_template=brought.stable_workload.template,
        canary_template=brought.around.workload.template,
        stable_replicas=brought.stable_workload.replicas,
        policy=policy,
        started=now,
    )


def _unfit_baseline(brought: Brought) -> list[str]:
    canary, name = brought.canary["metadata"]["name"], annotations.of(brought.canary)[annotations.BASELINE]
    if name == canary:
        return [f"annotation {annotations.BASELINE} = {name!r}: that is the canary itself; name the stable Deployment"]
    if brought.stable is None or brought.stable_workload is None:
        return [f"annotation {annotations.BASELINE} = {name!r}: there is no such Deployment in this namespace"]
    found = unfit(brought.stable, brought.stable_workload) + unpromotable(brought.stable, Strategy.BRING_YOUR_OWN)
    if brought.busy:
        found.append(f"run {brought.busy} compares with {name} just now; it has to end first")
    return [*found, *_without_difference(brought.canary, brought.stable)]


def _without_difference(canary: Document, stable: Document) -> list[str]:
    """Say why there is nothing to promote: images are those of containers that both Deployments have by name."""
    mine, theirs = sibling.container_images(canary), sibling.container_images(stable)
    here, there, both = canary["metadata"]["name"], stable["metadata"]["name"], mine.keys() & theirs.keys()
    if not both:
        return [
            f"no container of {here} ({', '.join(mine)}) has the name of one of {there} ({', '.join(theirs)}), so "
            "nobody knows which image is to be promoted where: name them alike"
        ]
    if all(mine[container] == theirs[container] for container in both):
        return [f"{here} runs the same images as {there}: there is nothing to compare yet"]
    return []


def _policy(canary: Document, offers: Offers, objections: list[str]) -> RolloutPolicy | None:
    try:
        policy = annotations.parse_brought(annotations.of(canary), offers.profiles)
    except annotations.Misannotated as error:
        objections.extend(error.mistakes)
        return None
    objections += unknown_webhooks(policy, offers)
    return policy


def _routes(
    brought: Brought, policy: RolloutPolicy | None, run: str, objections: list[str]
) -> tuple[routing.Target | None, tuple[RouteRef, ...]]:
    """Find the routes that have a destination for each of the two Deployments."""
    if brought.stable is None:
        return None, ()
    around, (stable, canary) = brought.around, pods_of([brought.stable, brought.canary])
    others = [each for each in pods_of(around.deployments) if each.name not in (stable.name, canary.name)]
    wanted = all_traffic(Strategy.BRING_YOUR_OWN, policy, run) if policy is not None else ()
    try:
        target = routing.brought_target(
            stable,
            canary,
            routing.Around(
                namespace=brought.canary["metadata"]["namespace"],
                services=around.services,
                destination_rules=around.destination_rules,
                routes=around.routes,
                others=others,
            ),
        )
        selected = routing.ROUTERS[around.route_kind].select(around.routes, target, wanted)
    except routing.Unroutable as error:
        objections.extend(str(problem) for problem in error.problems)
        return None, ()
    return target, tuple(RouteRef.of(each) for each in selected)


def _label(canary: Document) -> tuple[str, str]:
    """Return a label by which the canary's pods can be listed; whose they are is checked by their owners."""
    labels = canary["spec"]["selector"].get("matchLabels") or canary["spec"]["template"]["metadata"]["labels"]
    key = min(labels)
    return key, labels[key]
