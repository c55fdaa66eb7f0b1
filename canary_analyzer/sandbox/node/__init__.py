"""The node agent: a pod becomes processes on this machine, with an address of its own, as a kubelet would run it."""

from canary_analyzer.sandbox.node.agent import NODE_NAME, run
from canary_analyzer.sandbox.node.leftovers import disown

__all__ = ["NODE_NAME", "disown", "run"]
