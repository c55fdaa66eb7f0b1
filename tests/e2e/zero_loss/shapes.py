"""What users have in their namespaces: the sample app, and ways in which other teams have built theirs."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.zero_loss.app import NAME

Document = dict[str, Any]
MANIFESTS = Path(__file__).parents[3] / "canary_analyzer/sandbox/manifests"
GATEWAY = "default/flask-app"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The documents of a namespace, and how clients call the app: through the `ingress` or the `sidecar`, what host."""

    documents: Sequence[Document]
    by: str
    host: str


def sample(image: str = "v1", replicas: int = 3, labels: Mapping[str, str] | None = None) -> list[Document]:
    """Deployment and Service of the sample app; `labels` are put on its pods and into both selectors."""
    deployment, service = yaml.safe_load_all((MANIFESTS / "flask-app.yaml").read_text())
    spec, more = deployment["spec"], dict(labels or {})
    spec["replicas"] = replicas
    spec["template"]["spec"]["containers"][0]["image"] = f"{NAME}:{image}"
    for each in (spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"], service["spec"]["selector"]):
        each |= more
    return [deployment, service]


def virtual_service(namespace: str, *http: Document, **spec: Any) -> Document:
    """A VirtualService behind the gateway, with a host of its own per namespace."""
    whole = {"hosts": [f"{namespace}.example.com"], "gateways": [GATEWAY], "http": list(http), **spec}
    return _istio("VirtualService", NAME, whole)


def to(host: str = NAME, **more: Any) -> Document:
    return {"destination": {"host": host} | more}


def _istio(kind: str, name: str, spec: Document) -> Document:
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def behind_gateway(namespace: str, *documents: Document, http: Sequence[Document] = ()) -> Shape:
    """What most people have: one VirtualService behind a gateway."""
    route = virtual_service(namespace, *(http or [{"route": [to()]}]))
    return Shape(documents=[*(documents or sample()), route], by="ingress", host=f"{namespace}.example.com")


def in_mesh(namespace: str) -> Shape:
    """A VirtualService for callers in the mesh, who without it reach the Service directly."""
    route = virtual_service(namespace, {"route": [to()]}, hosts=[NAME], gateways=["mesh"])
    return Shape(documents=[*sample(), route], by="sidecar", host=f"{NAME}.{namespace}")


def retrying(namespace: str) -> Shape:
    """A route that tries again as often as it takes to find a living pod beside a dead one.

    Istio's default of two retries finds it nearly always: of two pods the dead one has the fewest requests.
    """
    retries = {"attempts": 6, "retryOn": "connect-failure,refused-stream,reset-before-request"}
    return behind_gateway(namespace, http=[{"route": [to()], "retries": retries}])


def tagged(namespace: str, image: str) -> Shape:
    return behind_gateway(namespace, *sample(image))


def behind_testers(namespace: str) -> Shape:
    """A route for testers in front of the default route, with settings of its own."""
    testers = {"name": "testers", "match": [{"headers": {"x-tester": {"exact": "yes"}}}], "route": [to()]}
    testers |= {"timeout": "5s", "headers": {"request": {"set": {"x-for": "testers"}}}}
    default = {"name": "default", "route": [to()], "retries": {"attempts": 2, "retryOn": "connect-failure"}}
    return behind_gateway(namespace, http=[testers, default])


def delegated(namespace: str) -> Shape:
    """A root VirtualService of the platform team that leaves the app's routes to the app's team."""
    root = virtual_service(namespace, {"match": [{"uri": {"prefix": "/"}}], "delegate": {"name": NAME}})
    root["metadata"]["name"] = "root"
    theirs = _istio("VirtualService", NAME, {"http": [{"route": [to()]}]})
    return Shape(documents=[*sample(), root, theirs], by="ingress", host=f"{namespace}.example.com")


def http_route(namespace: str) -> Shape:
    """An HTTPRoute of the Gateway API whose parent is the Service itself."""
    parent = {"group": "", "kind": "Service", "name": NAME, "port": 80}
    spec = {"parentRefs": [parent], "rules": [{"backendRefs": [{"name": NAME, "port": 80}]}]}
    api = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    route = api | {"metadata": {"name": NAME}, "spec": spec}
    return Shape(documents=[*sample(), route], by="sidecar", host=f"{NAME}.{namespace}")


NEXT = f"{NAME}-next"


def two_hosts(namespace: str, image: str) -> Shape:
    """A canary that the user brought, behind a Service of its own."""
    theirs = list(_named(NEXT, sample(image, replicas=2), {"app": NEXT}))
    route = {"route": [to() | {"weight": 100}, to(NEXT) | {"weight": 0}]}
    return behind_gateway(namespace, *sample(), *theirs, http=[route])


def two_subsets(namespace: str, image: str) -> Shape:
    """A canary that the user brought, as a subset of the one host."""
    version = {"stable": {"version": "stable"}, "next": {"version": "next"}}
    deployment, service = sample(labels=version["stable"])
    service["spec"]["selector"] = {"app": NAME}
    theirs, _ = _named(NEXT, sample(image, replicas=2), {"app": NAME, **version["next"]})
    subsets = [{"name": name, "labels": labels} for name, labels in version.items()]
    rule = _istio("DestinationRule", NAME, {"host": NAME, "subsets": subsets})
    route = {"route": [to(subset="stable") | {"weight": 100}, to(subset="next") | {"weight": 0}]}
    return behind_gateway(namespace, deployment, service, theirs, rule, http=[route])


def _named(name: str, documents: Sequence[Document], labels: Mapping[str, str]) -> Iterator[Document]:
    """The same Deployment and Service under another name, with these labels instead of their own."""
    for document in deepcopy(documents):
        document["metadata"] |= {"name": name, "labels": dict(labels)}
        spec = document["spec"]
        if document["kind"] == "Service":
            spec["selector"] = dict(labels)
        else:
            spec["selector"]["matchLabels"] = dict(labels)
            spec["template"]["metadata"]["labels"] = dict(labels)
        yield document


def strict(namespace: str) -> Shape:
    """Policies that select the app's pods by nearly all of their labels; `track` alone is free."""
    return behind_gateway(namespace, *sample(labels={"track": "stable"}), *_policies({"app": NAME}))


def too_strict(namespace: str) -> Shape:
    """Policies that select by every label that could tell the canary's pods."""
    return behind_gateway(namespace, *sample(), *_policies({"app": NAME}))


def _policies(labels: Mapping[str, str]) -> list[Document]:
    selector = {"matchLabels": dict(labels)}
    stable_only = {"matchLabels": dict(labels) | {"track": "stable"}}
    network = {"podSelector": selector, "ingress": [{"from": [{"podSelector": selector}]}], "policyTypes": ["Ingress"]}
    return [
        _policy("networking.k8s.io/v1", "NetworkPolicy", network),
        _policy("security.istio.io/v1", "AuthorizationPolicy", {"selector": selector, "rules": [{}]}),
        _policy("policy/v1", "PodDisruptionBudget", {"minAvailable": 2, "selector": stable_only}),
    ]


def _policy(api: str, kind: str, spec: Document) -> Document:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": NAME}, "spec": spec}


def autoscaled(namespace: str) -> Shape:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 6}
    autoscaler = _policy("autoscaling/v2", "HorizontalPodAutoscaler", spec)
    return behind_gateway(namespace, *sample(), autoscaler)
