"""The meshes whose telemetry the sandbox speaks."""

from collections.abc import Mapping
from enum import StrEnum

from canary_analyzer.sandbox.mesh.istio_metrics import ISTIO
from canary_analyzer.sandbox.mesh.linkerd_metrics import LINKERD
from canary_analyzer.sandbox.mesh.telemetry import Dialect


class Metrics(StrEnum):
    """Whose metric names and labels."""

    ISTIO = "istio"
    LINKERD = "linkerd"


DIALECTS: Mapping[Metrics, Dialect] = {Metrics.ISTIO: ISTIO, Metrics.LINKERD: LINKERD}
