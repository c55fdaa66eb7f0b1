"""What the mesh agent sees of the cluster, and what pods are called in Istio's telemetry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_analyzer.sandbox.mesh.names import fqdn, service_fqdn

Document = dict[str, Any]

# Labels of pods that the telemetry carries, as Prometheus names them. A stock Prometheus takes over all labels; the
# statistics of Envoy need to know them beforehand.
POD_LABELS = {"app": "app", "version": "version", "track": "track", "pod_template_hash": "pod-template-hash"}


@dataclass(frozen=True, kw_only=True)
class World:
    """Documents of every namespace, as the API server returned them; `api_gateways` are those of the Gateway API."""

    services: Sequence[Document] = ()
    endpoints: Sequence[Document] = ()
    pods: Sequence[Document] = ()
    virtual_services: Sequence[Document] = ()
    destination_rules: Sequence[Document] = ()
    gateways: Sequence[Document] = ()
    http_routes: Sequence[Document] = ()
    api_gateways: Sequence[Document] = ()


def service_host(service: Document) -> str:
    """The full host name of a Service document."""
    return service_fqdn(service["metadata"]["name"], service["metadata"]["namespace"])


def routable_services(world: World) -> Mapping[str, Document]:
    """Services with ports of their own, by full host name."""
    routable = (s for s in world.services if s["spec"].get("type") != "ExternalName" and s["spec"].get("ports"))
    return {service_host(service): service for service in routable}


def oldest_first(documents: Sequence[Document]) -> list[Document]:
    """Istio's order of precedence: by creation, then by name."""

    def age(document: Document) -> tuple[str, str, str]:
        metadata = document["metadata"]
        return metadata.get("creationTimestamp") or "", metadata["namespace"], metadata["name"]

    return sorted(documents, key=age)


def rule_host(rule: Document) -> str:
    """The full host name that a DestinationRule governs."""
    return fqdn(rule["spec"]["host"], rule["metadata"]["namespace"])


def workload_metadata(pod: Document) -> dict[str, str]:
    """A pod's identity in the metrics: name, workload, namespace, labels, canonical service and revision.

    The workload is the Deployment: as in Istio, the ReplicaSet's name without the pod-template-hash.
    """
    metadata = pod["metadata"]
    labels: Mapping[str, str] = metadata.get("labels") or {}
    owner = next((ref for ref in metadata.get("ownerReferences") or () if ref.get("controller")), None)
    workload = owner["name"] if owner else metadata["name"]
    if owner and owner["kind"] == "ReplicaSet":
        workload = workload.removesuffix(f"-{labels.get('pod-template-hash', '')}")
    app, version = labels.get("app"), labels.get("version")
    known = {
        "pod": metadata["name"],
        "workload": workload,
        "namespace": metadata["namespace"],
        **{name: labels.get(label) for name, label in POD_LABELS.items()},
        "canonical_service": _canonical(labels, "canonical-name", "name") or app or workload,
        "canonical_revision": _canonical(labels, "canonical-revision", "version") or version or "latest",
    }
    return {key: value for key, value in known.items() if value}


def _canonical(labels: Mapping[str, str], istio: str, recommended: str) -> str | None:
    return labels.get(f"service.istio.io/{istio}") or labels.get(f"app.kubernetes.io/{recommended}")
