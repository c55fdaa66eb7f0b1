"""How Istio names hosts, clusters and times, and how Envoy wants them.

Short names: https://istio.io/latest/docs/reference/config/networking/virtual-service/#Destination
"""

import re

CLUSTER_DOMAIN = "svc.cluster.local"
MESH = "mesh"  # Istio's reserved gateway name for all sidecars
SANDBOX_NAMESPACE = "default"  # where the one client of the mesh is at home: only here a Service's bare name is a host
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|h|m|s)")


def service_fqdn(name: str, namespace: str) -> str:
    """The full host name of a Service."""
    return f"{name}.{namespace}.{CLUSTER_DOMAIN}"


def fqdn(host: str, namespace: str) -> str:
    """A host as an Istio rule of a namespace writes it, in full: only a name without any dot is a short name."""
    return host if "." in host or host == "*" else service_fqdn(host, namespace)


def cluster_name(host: str, port: int, subset: str = "") -> str:
    """Istio's name of the Envoy cluster for one port and subset of a host."""
    return f"outbound|{port}|{subset}|{host}"


def domains(host: str) -> list[str]:
    """Every way a client may write a host: of a Service all its shorter forms, of anything else only itself."""
    suffix = f".{CLUSTER_DOMAIN}"
    if not host.endswith(suffix):
        return [host]
    short = host.removesuffix(suffix)
    name, _, namespace = short.rpartition(".")
    local = [name] if namespace == SANDBOX_NAMESPACE else []
    return [host, f"{short}.svc", short, *local]


def seconds(duration: str) -> float:
    """Seconds of a Go duration such as `1m30s`; raises ValueError on anything else."""
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"duration: {duration!r} is not a duration: write it like 500ms, 2s or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def envoy_duration(duration: str) -> str:
    """A Go duration in the only form protobuf's JSON knows: decimal seconds."""
    return f"{seconds(duration):.9f}".rstrip("0").rstrip(".") + "s"
