"""One Lease for each replica of the service, in the service's own namespace.

https://kubernetes.io/docs/concepts/architecture/leases/
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from canary_analyzer.cluster.client import Cluster, Kind
from canary_analyzer.cluster.errors import NotFound

LEASES = Kind(api="coordination.k8s.io/v1", plural="leases")
REPLICA_LABEL = "canary-analyzer.io/replica"
PREFIX = "canary-analyzer-"
GIVEN_UP = ""
"""In place of the resourceVersion of a Lease that nobody holds any more."""


def announce(cluster: Cluster, namespace: str, name: str, seconds: float) -> None:
    """Make a replica's Lease.

    Raises:
        ClusterError: it could not be made.
    """
    now = _now()
    lease = {
        "apiVersion": LEASES.api,
        "kind": "Lease",
        "metadata": {
            "name": PREFIX + name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "canary-analyzer", REPLICA_LABEL: "true"},
        },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": round(seconds),
            "acquireTime": now,
            "renewTime": now,
        },
    }
    cluster.create(LEASES, lease)


def renew(cluster: Cluster, namespace: str, name: str) -> None:
    """Say that the replica lives.

    Raises:
        NotFound: somebody took the Lease for one left behind.
        ClusterError: it could not be renewed.
    """
    cluster.merge(LEASES, namespace, PREFIX + name, {"spec": {"renewTime": _now()}})


def listed(cluster: Cluster, namespace: str) -> Mapping[str, str]:
    """Return the resourceVersion of every replica's Lease, or GIVEN_UP, by the replica's name.

    It changes with each renewal.
    """
    found = cluster.list(LEASES, namespace, f"{REPLICA_LABEL}=true").items
    return {
        lease["metadata"]["name"].removeprefix(PREFIX): (
            lease["metadata"]["resourceVersion"] if (lease.get("spec") or {}).get("holderIdentity") else GIVEN_UP
        )
        for lease in found
        if lease["metadata"]["name"].startswith(PREFIX)
    }


def give_up(cluster: Cluster, namespace: str, name: str) -> None:
    """Say that nobody holds a replica's Lease any more, so that the others need not wait until it is over.

    An empty holder says so, as it does to client-go's leader election. A Lease that is gone needs no word.
    """
    try:
        cluster.merge(LEASES, namespace, PREFIX + name, {"spec": {"holderIdentity": ""}})
    except NotFound:
        return


def take_away(cluster: Cluster, namespace: str, name: str) -> None:
    """Delete a replica's Lease; whoever counts on it waits until it is over."""
    cluster.delete(LEASES, namespace, PREFIX + name)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
