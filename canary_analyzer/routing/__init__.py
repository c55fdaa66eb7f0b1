"""Routes as pure documents: which of them reach a Service, where their requests go, and the way back.

Nothing here talks to a cluster. The shell reads documents, asks a router for the desired ones, and sends
`json_patch(live, desired)`.
"""

from canary_analyzer.routing.destination_rules import canary_destination_rule
from canary_analyzer.routing.discovery import Around, Pods, brought_target, sibling_target
from canary_analyzer.routing.documents import Document, Problem, Target, Unroutable, identity
from canary_analyzer.routing.hosts import ServiceName
from canary_analyzer.routing.patches import disowned, json_patch
from canary_analyzer.routing.router import GATEWAY_API, ISTIO, ROUTERS, Router
from canary_analyzer.routing.traffic import Match, Sticky, Traffic

__all__ = [
    "GATEWAY_API",
    "ISTIO",
    "ROUTERS",
    "Around",
    "Document",
    "Match",
    "Pods",
    "Problem",
    "Router",
    "ServiceName",
    "Sticky",
    "Target",
    "Traffic",
    "Unroutable",
    "brought_target",
    "canary_destination_rule",
    "disowned",
    "identity",
    "json_patch",
    "sibling_target",
]
