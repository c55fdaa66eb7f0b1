"""What users have in their cluster and what they ask for, one case for each way a rollout can go."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass

import yaml

from canary_analyzer.sandbox.client import (
    DEPLOYMENTS,
    DESTINATIONRULES,
    HORIZONTALPODAUTOSCALERS,
    HTTPROUTES,
    SERVICES,
    VIRTUALSERVICES,
)
from harness.arena import Arena
from harness.emulator import Document
from harness.traffic import Quality

POLICY = {
    "tick_seconds": 2,
    "settle_seconds": 5,
    "start_seconds": 60,
    "promote_seconds": 120,
    "deadline_seconds": 250,
    "steps": [{"weight": 10, "seconds": 4, "requests": 5}, {"weight": 50, "seconds": 24, "requests": 5}],
    "blue_green": {"analysis_seconds": 24, "keep_seconds": 3, "requests": 5},
    "rolling": {"pace_seconds": 20},
    "bring_your_own": {"patch_stable": True},
}
FOREIGN = {"uri": {"prefix": "/x"}}


def deployment(name: str, image: str, replicas: int = 2) -> Document:
    """A Deployment whose pods are labelled with its name."""
    labels = {"app": name}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pods}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str) -> Document:
    """A Service of the Deployment with its name."""
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def virtual_service(*route: Document) -> Document:
    """A route with fields that are no business of ours, in an order that is nobody's business either."""
    rule = {"timeout": "3s", "route": list(route), "match": [FOREIGN], "name": "main"}
    spec = {"http": [rule], "hosts": ["app"]}
    metadata = {"name": "app", "annotations": {"team": "x"}}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}


HTTP_ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "app"},
    "spec": {
        "rules": [{"backendRefs": [{"port": 80, "name": "app"}]}],
        "parentRefs": [{"name": "app", "kind": "Service", "group": "", "port": 80}],
    },
}
AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "app"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
        "minReplicas": 1,
        "maxReplicas": 5,
    },
}
DESTINATION_RULE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "app"},
    "spec": {"host": "app", "trafficPolicy": {"connectionPool": {"http": {"maxRetries": 7}}}},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A strategy, and what is around the app.

    Attributes:
        trigger: annotations that ask for it.
        policy: what differs from POLICY.
        subject: the Deployment that is annotated, of which the record and the status speak.
    """

    name: str
    trigger: Mapping[str, str]
    policy: Mapping[str, object]
    prepare: Callable[[Arena], None]
    subject: str = "app"
    route_kind: str = "VirtualService"

    def arena(self, kill_at: int = 0, lose_at: int = 0, seed: int = 0) -> Arena:
        """The app, rolled out, and nobody wants anything yet."""
        arena = Arena(route_kind=self.route_kind, kill_at=kill_at, lose_at=lose_at, seed=seed)
        arena.emulator.create(DEPLOYMENTS, deployment("app", "app:v1"))
        arena.emulator.create(SERVICES, service("app"))
        self.prepare(arena)
        arena.world.settle(arena.now)
        arena.run(3)
        return arena

    @property
    def wish(self) -> Mapping[str, str]:
        """The annotations that ask for it, without their prefix."""
        return {**self.trigger, "config": yaml.safe_dump({**POLICY, **self.policy}, default_flow_style=True)}

    def ask(self, arena: Arena) -> None:
        """Annotate."""
        arena.annotate(self.subject, **self.wish)


def _routed(arena: Arena) -> None:
    arena.emulator.create(VIRTUALSERVICES, virtual_service({"destination": {"host": "app"}}))


def _by_gateway_api(arena: Arena) -> None:
    arena.emulator.create(HTTPROUTES, deepcopy(HTTP_ROUTE))


def _scaled(arena: Arena) -> None:
    _routed(arena)
    arena.emulator.create(HORIZONTALPODAUTOSCALERS, deepcopy(AUTOSCALER))
    arena.emulator.create(DESTINATIONRULES, deepcopy(DESTINATION_RULE))


def _replaced_at_once(arena: Arena) -> None:
    """Have stable lose all its pods when it rolls out: nobody may be sent there before it is through."""
    _scaled(arena)
    at_once = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}}
    arena.emulator.merge(DEPLOYMENTS, "app", {"spec": {"strategy": at_once}})


def _brought(arena: Arena) -> None:
    both = [{"destination": {"host": "app"}, "weight": 100}, {"destination": {"host": "next"}, "weight": 0}]
    arena.emulator.create(VIRTUALSERVICES, virtual_service(*both))
    arena.emulator.create(DEPLOYMENTS, deployment("next", "app:v2"))
    arena.emulator.create(SERVICES, service("next"))


IMAGE = {"image": "app:v2"}
CASES = {
    case.name: case
    for case in (
        Case(name="canary", trigger=IMAGE, policy={}, prepare=_routed),
        Case(name="canary, autoscaled", trigger=IMAGE, policy={}, prepare=_scaled),
        Case(name="canary, fresh baseline", trigger=IMAGE, policy={"baseline": "fresh"}, prepare=_scaled),
        Case(name="canary, HTTPRoute", trigger=IMAGE, policy={}, prepare=_by_gateway_api, route_kind="HTTPRoute"),
        Case(name="blue-green", trigger={**IMAGE, "strategy": "blue-green"}, policy={}, prepare=_replaced_at_once),
        Case(name="rolling", trigger={**IMAGE, "strategy": "rolling"}, policy={}, prepare=_routed),
        Case(name="bring your own", trigger={"baseline": "app"}, policy={}, prepare=_brought, subject="next"),
    )
}


def spoil(arena: Arena) -> None:
    """Let the new version fail half of its requests from now on."""
    arena.quality = Quality.BAD
