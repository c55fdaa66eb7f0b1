"""Routes as pure documents: which VirtualServices reach a Service, the weights in them, and the way back.

Nothing here talks to a cluster. The shell reads documents, asks for the desired ones, and sends
`json_patch(live, desired)`.
"""

from canary_analyzer.routing.destination_rules import canary_destination_rule
from canary_analyzer.routing.documents import Document, Problem, Target, Unroutable
from canary_analyzer.routing.patches import disowned, json_patch
from canary_analyzer.routing.restore import restored
from canary_analyzer.routing.selection import select
from canary_analyzer.routing.weights import canary_weight, with_weight

__all__ = [
    "Document",
    "Problem",
    "Target",
    "Unroutable",
    "canary_destination_rule",
    "canary_weight",
    "disowned",
    "json_patch",
    "restored",
    "select",
    "with_weight",
]
