"""The demo's eyes: one look at the cluster, the service, Prometheus and the load client."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import aiohttp

from canary_analyzer.sandbox.client import DEPLOYMENTS, KubeClient
from canary_analyzer.sandbox.demo import parse
from canary_analyzer.sandbox.demo.outcome import Load
from canary_analyzer.sandbox.demo.view import Arm

NAMESPACE, DEPLOYMENT, CANARY = "default", "flask-app", "flask-app-canary"
TIMEOUT = aiohttp.ClientTimeout(total=5)

# For the eye only, so that PromQL may smooth: the service judges raw counters.
_ARMS = f'reporter="source",destination_workload=~"{DEPLOYMENT}|{CANARY}"'
_RATE = "sum by (destination_workload) (rate(istio_requests_total{%s}[6s]))"
_QUANTILE = (
    "histogram_quantile(%s, sum by (le, destination_workload) "
    f"(rate(istio_request_duration_milliseconds_bucket{{{_ARMS}}}[6s])))"
)
QUERIES = {
    "rate": _RATE % _ARMS,
    "error_rate": _RATE % f'{_ARMS},response_code=~"5.."',
    "p50_ms": _QUANTILE % 0.5,
    "p99_ms": _QUANTILE % 0.99,
    "total": f"sum by (destination_workload) (istio_requests_total{{{_ARMS}}})",
}


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where everything is, as URLs."""

    prometheus: str
    control: str
    service: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look saw; empty parts where something did not answer."""

    status: parse.Status
    progress: parse.Progress
    baseline: Arm
    canary: Arm
    canary_total: float | None
    load: Load | None


class Observer:
    """Looks at everything at once."""

    def __init__(self, http: aiohttp.ClientSession, kube: KubeClient, addresses: Addresses):
        self._http = http
        self._kube = kube
        self._addresses = addresses

    async def look(self) -> Look:
        """Return how things are now; whatever does not answer is left out.

        Raises:
            ApiError: The API server refuses.
            aiohttp.ClientError: The API server cannot be reached.
        """
        status, progress, load, numbers = await asyncio.gather(
            self.status(), self._progress(), self.load(), self._numbers()
        )
        totals = numbers.pop("total")
        baseline, canary = (
            Arm(**{name: found.get(workload) for name, found in numbers.items()}) for workload in (DEPLOYMENT, CANARY)
        )
        return Look(
            status=status,
            progress=progress,
            baseline=baseline,
            canary=canary,
            canary_total=totals.get(CANARY),
            load=load,
        )

    async def status(self) -> parse.Status:
        """Return what the service wrote on the Deployment."""
        return parse.status(await self._kube.get(DEPLOYMENTS, NAMESPACE, DEPLOYMENT))

    async def load(self) -> Load | None:
        """Return what the load client has seen, None if it does not answer."""
        answer = await self._get(f"{self._addresses.control}/load")
        if answer is None:
            return None
        fields = json.loads(answer)
        return Load(sent=fields["sent"], lost=fields["lost"])

    async def _progress(self) -> parse.Progress:
        metrics = await self._get(f"{self._addresses.service}/metrics")
        return parse.progress(metrics, DEPLOYMENT) if metrics else parse.Progress()

    async def _numbers(self) -> dict[str, dict[str, float]]:
        answers = await asyncio.gather(*(self._query(query) for query in QUERIES.values()))
        return dict(zip(QUERIES, answers, strict=True))

    async def _query(self, query: str) -> dict[str, float]:
        answer = await self._get(f"{self._addresses.prometheus}/api/v1/query", query=query)
        return parse.by_workload(json.loads(answer)) if answer else {}

    async def _get(self, url: str, **params: str) -> str | None:
        try:
            async with self._http.get(url, params=params, timeout=TIMEOUT, raise_for_status=True) as response:
                return await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return None
