"""The node agent: a pod becomes processes on this machine, with an address of its own, as a kubelet would run it."""

from canary_analyzer.sandbox.node.agent import run

__all__ = ["run"]
