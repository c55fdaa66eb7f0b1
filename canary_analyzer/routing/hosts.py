"""Which Service a host in a VirtualService or DestinationRule means.

Istio's rule (`ResolveShortnameToFQDN`): a name without a dot belongs to the namespace of the document that it stands
in, not to the namespace of the Service; a name with a dot is taken as it stands. So `reviews.prod` reaches nothing: it
is neither short nor the name `reviews.prod.svc.cluster.local` that the Service is registered under.
"""

from typing import NamedTuple

# Hosts of multi-cluster services: the Service behind them is not the one in this cluster alone.
_CLUSTER_SET = "clusterset.local"


class ServiceName(NamedTuple):
    """A Service of this cluster."""

    name: str
    namespace: str


def service_of(host: object, namespace: str) -> ServiceName | None:
    """The Service that `host` means inside a document of `namespace`; None: no Service of this cluster.

    Any cluster domain is accepted (`name.namespace.svc.<domain>`), because a document does not say which one is used.
    """
    if not isinstance(host, str) or not host or "*" in host:
        return None
    labels = host.lower().rstrip(".").split(".")
    if len(labels) == 1:
        return ServiceName(labels[0], namespace)
    if len(labels) < 4 or labels[2] != "svc" or ".".join(labels[3:]) == _CLUSTER_SET:
        return None
    return ServiceName(labels[0], labels[1])


def is_half_qualified(host: object, service: ServiceName) -> bool:
    """Whether `host` means `service` in a form that Istio does not resolve: `name.namespace`, `name.namespace.svc`."""
    return host in (f"{service.name}.{service.namespace}", f"{service.name}.{service.namespace}.svc")


def renamed(host: str, name: str) -> str:
    """`host` in the form that it has (short or fully qualified), for another Service of the same namespace."""
    _, dot, rest = host.partition(".")
    return name + dot + rest
