"""The meshes that are understood, by the names that a config gives them."""

from __future__ import annotations

from typing import Literal

from canary_analyzer.metrics.dialects import Dialect
from canary_analyzer.metrics.istio import Istio
from canary_analyzer.metrics.linkerd import INBOUND, OUTBOUND, Linkerd

Mesh = Literal["istio", "linkerd"]
Reporter = Literal["source", "destination", "waypoint"]


def dialect(mesh: Mesh, reporter: Reporter) -> Dialect:
    """Return how to read a mesh, given who counts: the callers' proxies, those of the called, or waypoints.

    Raises:
        ValueError: The mesh has no such proxies.
    """
    if mesh == "istio":
        return Istio(reporter=reporter)
    if reporter == "waypoint":
        raise ValueError("reporter = waypoint: only Istio has waypoints; use source or destination")
    return Linkerd(direction=OUTBOUND if reporter == "source" else INBOUND)
