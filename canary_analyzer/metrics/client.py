"""Prometheus over HTTP: raw samples, or one exception that says in plain words why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from canary_analyzer.analysis.counters import Series

# Connecting is tried once more, at once. The real second try is the next tick, which this must not delay.
RETRIES = Retry(total=1, connect=1, read=False, status=0, backoff_factor=0)


class MetricsUnavailable(Exception):
    """Prometheus gave no answer that can be trusted; `reason` says why, for the person who reads the status."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class PrometheusReader:
    """Reads from one Prometheus, or what speaks its API: Thanos, Mimir, VictoriaMetrics; usable from many threads.

    Args:
        url: Address as a browser would use it, with a path prefix if there is one.
        timeout_seconds: For connecting, and again for each wait for bytes.
        headers: Sent with every request, for instance `Authorization` or `X-Scope-OrgID`.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 10, headers: Mapping[str, str] | None = None):
        session = requests.Session()
        session.hooks["response"].append(_refuse_partial)
        self._name = f"Prometheus at {_without_credentials(url)}"
        self._timeout_seconds = timeout_seconds
        self._prometheus = PrometheusConnect(
            url.rstrip("/"), headers=dict(headers or {}), session=session, retry=RETRIES, timeout=timeout_seconds
        )

    def points(self, selector: str, *, at: float, window_seconds: float) -> tuple[Series, ...]:
        """Return every raw sample of the selected series in the `window_seconds` up to `at` (unix seconds).

        Raises:
            MetricsUnavailable: No answer, an answer that is not Prometheus', or one that is only partial.
        """
        answer = self._query(f"{selector}[{round(window_seconds * 1000)}ms]", at)
        return tuple(_series(result) for result in answer)

    def knew(self, expression: str, at: float) -> bool:
        """Return whether an instant vector had any series at `at`, that is, a sample in the five minutes before it.

        Raises:
            MetricsUnavailable: As for `points`.
        """
        return bool(self._query(f"count({expression})", at))

    def _query(self, query: str, at: float) -> list[dict[str, Any]]:
        # Thanos answers with what it has unless told that a part is not enough.
        params = {"time": f"{at:.3f}", "partial_response": "false"}
        try:
            answer: list[dict[str, Any]] = self._prometheus.custom_query(query, params)
        except (requests.RequestException, PrometheusApiClientException, KeyError, TypeError) as error:
            raise MetricsUnavailable(self._reason(error)) from error
        return answer

    def _reason(self, error: Exception) -> str:
        match error:
            case requests.Timeout():
                return f"{self._name} did not answer within {self._timeout_seconds:g} s"
            case requests.JSONDecodeError() | KeyError() | TypeError():
                return f"{self._name} answered, but not as Prometheus does: check the address"
            case requests.RequestException():
                return f"{self._name} cannot be reached: {_cause(error)}"
            case _:
                return f"{self._name} refused the query: {error}"


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _cause(error: BaseException) -> str:
    """Return what the operating system said, without the layers that HTTP libraries wrap around it."""
    while error.__context__:
        error = error.__context__
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _refuse_partial(response: requests.Response, **_: Any) -> None:
    """Raise if data are missing: of what else could Thanos warn in a plain selector? VictoriaMetrics has a flag."""
    if b'"isPartial":true' in response.content:
        raise MetricsUnavailable("Prometheus answered only in part: some of its storage nodes did not answer")
    if b'"warnings"' in response.content and (warnings := response.json().get("warnings")):
        raise MetricsUnavailable(f"Prometheus answered only in part: {'; '.join(warnings)}")


def _series(result: Mapping[str, Any]) -> Series:
    points = [(float(time), float(value)) for time, value in result.get("values", ())]
    return Series(labels=result["metric"], points=points)
