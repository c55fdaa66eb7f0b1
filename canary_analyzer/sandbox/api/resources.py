"""The table of resources: which kinds the server stores, and what is special about each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource; several `versions` share one store, the first is the preferred one.

    `generation` says what makes `metadata.generation` rise: "" nothing, "spec" another spec, "spec+annotations" also
    another annotation. `custom` marks kinds that a real cluster gets from a CustomResourceDefinition.
    """

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    scale: bool = False
    generation: str = ""
    custom: bool = False
    columns: tuple[tuple[str, str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Under which the store files the objects."""
        return (self.group, self.plural)

    @property
    def subresources(self) -> frozenset[str]:
        """Names that may follow an object's name in a path."""
        extra = {
            "pods": {"binding", "eviction", "log"},
            "namespaces": {"finalize"},
            "serviceaccounts": {"token"},
        }.get(self.plural, set())
        return frozenset(extra | ({"status"} if self.status else set()) | ({"scale"} if self.scale else set()))

    def api_version(self, version: str) -> str:
        """`v1` or `apps/v1`."""
        return f"{self.group}/{version}" if self.group else version


def _core(plural: str, kind: str, *short: str, **more: Any) -> Resource:
    return Resource(group="", versions=("v1",), plural=plural, kind=kind, short_names=short, **more)


def _v1(group: str, plural: str, kind: str, *short: str, **more: Any) -> Resource:
    return Resource(group=group, versions=("v1",), plural=plural, kind=kind, short_names=short, **more)


def _istio(group: str, plural: str, kind: str, *short: str) -> Resource:
    return Resource(
        group=f"{group}.istio.io",
        versions=("v1", "v1beta1") if group != "telemetry" else ("v1", "v1alpha1"),
        plural=plural,
        kind=kind,
        short_names=short,
        categories=("istio-io", f"{group}-istio-io"),
        status=True,
        generation="spec",
        custom=True,
        columns=ISTIO_COLUMNS.get(kind, ()),
    )


def _gateway_api(plural: str, kind: str, *short: str, namespaced: bool = True) -> Resource:
    return Resource(
        group="gateway.networking.k8s.io",
        versions=("v1", "v1beta1"),
        plural=plural,
        kind=kind,
        namespaced=namespaced,
        short_names=short,
        categories=("gateway-api",),
        status=True,
        generation="spec",
        custom=True,
    )


ISTIO_COLUMNS = {
    "VirtualService": (("Gateways", "array", ".spec.gateways"), ("Hosts", "array", ".spec.hosts")),
    "DestinationRule": (("Host", "string", ".spec.host"),),
    "ServiceEntry": (
        ("Hosts", "array", ".spec.hosts"),
        ("Location", "string", ".spec.location"),
        ("Resolution", "string", ".spec.resolution"),
    ),
    "AuthorizationPolicy": (("Action", "string", ".spec.action"),),
    "PeerAuthentication": (("Mode", "string", ".spec.mtls.mode"),),
}

RBAC = "rbac.authorization.k8s.io"

BUILT_IN = (
    _core("namespaces", "Namespace", "ns", namespaced=False, status=True),
    _core("pods", "Pod", "po", status=True, generation="spec", categories=("all",)),
    _core("services", "Service", "svc", status=True, categories=("all",)),
    _core("endpoints", "Endpoints", "ep"),
    _core("configmaps", "ConfigMap", "cm"),
    _core("events", "Event", "ev"),
    _core("serviceaccounts", "ServiceAccount", "sa"),
    _core("secrets", "Secret"),
    _core("nodes", "Node", "no", namespaced=False, status=True),
    _v1(
        "apps",
        "deployments",
        "Deployment",
        "deploy",
        status=True,
        scale=True,
        generation="spec+annotations",
        categories=("all",),
    ),
    _v1("apps", "replicasets", "ReplicaSet", "rs", status=True, scale=True, generation="spec", categories=("all",)),
    _v1("discovery.k8s.io", "endpointslices", "EndpointSlice", generation="spec"),
    _v1("policy", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", status=True, generation="spec"),
    Resource(
        group="autoscaling",
        versions=("v2",),
        plural="horizontalpodautoscalers",
        kind="HorizontalPodAutoscaler",
        short_names=("hpa",),
        categories=("all",),
        status=True,
    ),
    _v1("networking.k8s.io", "networkpolicies", "NetworkPolicy", "netpol", generation="spec"),
    _v1("coordination.k8s.io", "leases", "Lease"),
    _v1(RBAC, "roles", "Role"),
    _v1(RBAC, "rolebindings", "RoleBinding"),
    _v1(RBAC, "clusterroles", "ClusterRole", namespaced=False),
    _v1(RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    _v1(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd",
        "crds",
        namespaced=False,
        status=True,
        generation="spec",
    ),
    _gateway_api("gatewayclasses", "GatewayClass", "gc", namespaced=False),
    _gateway_api("gateways", "Gateway", "gtw"),
    _gateway_api("httproutes", "HTTPRoute"),
    _gateway_api("referencegrants", "ReferenceGrant", "refgrant"),
    _istio("networking", "virtualservices", "VirtualService", "vs"),
    _istio("networking", "destinationrules", "DestinationRule", "dr"),
    _istio("networking", "gateways", "Gateway", "gw"),
    _istio("networking", "serviceentries", "ServiceEntry", "se"),
    _istio("networking", "sidecars", "Sidecar"),
    _istio("security", "authorizationpolicies", "AuthorizationPolicy", "ap"),
    _istio("security", "peerauthentications", "PeerAuthentication", "pa"),
    _istio("telemetry", "telemetries", "Telemetry", "telemetry"),
)
"""Every kind that exists without a CustomResourceDefinition being created."""


class Registry:
    """Which resource answers under (group, version, plural); grows and shrinks with CustomResourceDefinitions."""

    def __init__(self, resources: tuple[Resource, ...] = BUILT_IN) -> None:
        self._resources = {resource.key: resource for resource in resources}

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource served there, if any."""
        resource = self._resources.get((group, plural))
        return resource if resource and version in resource.versions else None

    def by_key(self, key: tuple[str, str]) -> Resource | None:
        """The resource filed under `key`, whatever its versions."""
        return self._resources.get(key)

    def add(self, resource: Resource) -> None:
        """Serve a resource from now on, or serve it otherwise."""
        self._resources[resource.key] = resource

    def remove(self, key: tuple[str, str]) -> None:
        """Serve it no longer; an unknown one is no mistake."""
        self._resources.pop(key, None)
