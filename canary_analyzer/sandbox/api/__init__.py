"""A Kubernetes API server in memory, on loopback: enough of the real one for clients, controllers and kubectl."""

from canary_analyzer.sandbox.api.server import ApiServer, start

__all__ = ["ApiServer", "start"]
