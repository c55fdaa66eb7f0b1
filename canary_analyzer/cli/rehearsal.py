"""What the service would do with a wish: the same checks, with the rights of whoever asks, and nothing written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canary_analyzer.cli.service_config import ServiceConfig
from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import Cluster, Kind, Listing
from canary_analyzer.cluster.errors import ClusterError
from canary_analyzer.cluster.observe import surroundings
from canary_analyzer.cluster.routes import FORBIDDEN, ROUTE_KINDS
from canary_analyzer.rollout import annotations, plan, sibling
from canary_analyzer.rollout.plan import Offers, Refused, Surroundings
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.rollout.run import Run
from canary_analyzer.routing import Document
from canary_analyzer.service.intake import alone, planned


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What would come of a wish."""

    run: Run | None = None
    """The run that would start; None where it would be refused, or too little may be seen to plan it."""
    objections: tuple[str, ...] = ()
    """Why it would be refused."""
    unseen: tuple[str, ...] = ()
    """What could not be checked."""
    around: Surroundings | None = None


class _Permitted(Cluster):
    """A cluster in which what one may not list is empty, and remembered."""

    def __init__(self, api: Any) -> None:
        super().__init__(api)
        self.unseen: list[str] = []

    def list(self, kind: Kind, namespace: str = "", *args: Any, **options: Any) -> Listing:
        """As everywhere; a namespace's objects that are forbidden are taken to be none."""
        try:
            return super().list(kind, namespace, *args, **options)
        except ClusterError as error:
            if error.status != FORBIDDEN:
                raise
            self.unseen.append(kind.plural if namespace else f"{kind.plural} of other namespaces")
            if not namespace:
                raise  # whoever asked for all looks into the one namespace then
            return Listing(items=(), version="")


def rehearsed(api: Any, deployment: Document, config: ServiceConfig, now: float) -> Rehearsed:
    """Check a wish as the service would.

    Args:
        api: the connection.
        deployment: with the annotations that are about to be written.
        config: of the service.
        now: seconds since the epoch.
    """
    cluster = _Permitted(api)
    metadata = deployment["metadata"]
    offers, unknown = _offers(deployment, config)
    past = records.runs_of_deployment(cluster, metadata["namespace"], metadata["name"])
    around = surroundings(cluster, deployment, offers.route_kind)
    needed = {"deployments", "services", ROUTE_KINDS[offers.route_kind].plural}
    run, objections = None, [*_brought(deployment), *_busy(past)]
    try:
        if not objections:
            alone(cluster, deployment)
        if needed & set(cluster.unseen):
            objections += _partly(deployment, around, offers)
        else:
            run = planned(deployment, around, offers, records.next_number(cluster, deployment, past), now)
    except Refused as refused:
        objections += refused.reasons
    return Rehearsed(
        run=run if not objections else None,
        objections=tuple(objections),
        unseen=(*unknown, *(f"{each} (forbidden)" for each in dict.fromkeys(cluster.unseen))),
        around=around,
    )


def _partly(deployment: Document, around: Surroundings, offers: Offers) -> list[str]:
    """Check what the Deployment alone tells."""
    objections = plan.unfit(deployment, around.workload)
    request = plan.requested(deployment, offers, objections)
    if request is not None:
        objections += plan.pointless(deployment, request.images) + plan.unpromotable(deployment, request.strategy)
    return objections


def _brought(deployment: Document) -> list[str]:
    name, stable = deployment["metadata"]["name"], annotations.of(deployment).get(annotations.BASELINE)
    if stable is None:
        return []
    return [f"{name} is itself judged as the canary of {stable} (annotation {annotations.BASELINE}): change its image"]


def _busy(past: Sequence[Run]) -> list[str]:
    return [
        f"run {run.name} is under way ({run.phase}, {run.weight} %): let it end, or abort it first"
        for run in past
        if not run.ended
    ]


def _offers(deployment: Document, config: ServiceConfig) -> tuple[Offers, list[str]]:
    """Return what the wish can choose from; where the config is not known, what it chooses is taken to be there."""
    offers = config.settings.offers
    if config.known:
        return offers, []
    profile = annotations.of(deployment).get(annotations.PROFILE, annotations.DEFAULT_PROFILE)
    profiles = {profile: PROFILES[annotations.DEFAULT_PROFILE], **offers.profiles}
    webhooks = _webhooks(deployment, profiles)
    unknown = ["whether the service's config has other defaults or profiles (give it with --config)"]
    unknown += [f"profile {profile}"] if profile not in PROFILES else []
    unknown += [f"webhook {name}" for name in sorted(webhooks)]
    return Offers(profiles=profiles, webhooks=webhooks, route_kind=offers.route_kind), unknown


def _webhooks(deployment: Document, profiles: Any) -> frozenset[str]:
    containers = list(sibling.container_images(deployment))
    try:
        return annotations.parse(annotations.of(deployment), containers, profiles).policy.webhook_names
    except annotations.Misannotated:
        return frozenset()  # the plan says what is wrong
