"""Prometheus over HTTP: raw samples, or one exception that says in plain words why there are none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from textwrap import shorten
from threading import BoundedSemaphore
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util.retry import Retry

from canary_analyzer.metrics.raw import Answer, NotPrometheusError, RawSeries, RefusedError, answered
from canary_analyzer.timely_http import Adapter

# Connecting is tried once more, at once. The real second try is the next tick, which this must not delay.
RETRIES = Retry(total=1, connect=1, read=False, status=0, backoff_factor=0)
AT_A_TIME = 4
"""Queries; Prometheus answers 20 at a time by default (`--query.max-concurrency`), and we are not its only users."""
LARGEST_ANSWER = 100_000_000
"""Bytes. Some ten million are usual where runs are many; what is much larger would take our memory."""
PIECE = 65_536
"""Bytes that are read at a time."""


class MetricsUnavailable(Exception):
    """Prometheus gave no answer that can be trusted; `reason` says why, for the person who reads the status."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class Unanswered(MetricsUnavailable):
    """Prometheus cannot be reached, or takes longer than we wait."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How to be let in; files are read again for each request, since what rotates them writes them anew.

    Attributes:
        username: For basic auth, with `password_file`.
        password_file: Holds the password, and nothing else.
        token_file: Holds a bearer token.
        ca_file: Holds the certificates that the server's may be signed by, instead of the system's.
        headers: Sent with every request, for instance `X-Scope-OrgID`.
    """

    username: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    headers: Mapping[str, str] | None = None


class PrometheusReader:
    """Reads from one Prometheus, or what speaks its API: Thanos, Mimir, VictoriaMetrics; usable from many threads.

    Args:
        url: Address as a browser would use it, with a path prefix if there is one.
        timeout_seconds: For connecting, for the answer to begin, and again for the whole of it to come.
        credentials: What the server asks for, if anything.
        on_query: Told of every query how many seconds it took, and whether it was answered.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 10,
        credentials: Credentials | None = None,
        on_query: Callable[[float, bool], None] | None = None,
    ):
        credentials = credentials or Credentials()
        self._on_query = on_query or (lambda *_: None)
        session = _Session()
        session.hooks["response"] += [_read_in_time, _refuse_partial, _understand]
        session.auth = _Auth(credentials) if credentials.token_file or credentials.password_file else None
        session.verify = str(credentials.ca_file) if credentials.ca_file else True
        self._name = f"Prometheus at {_without_credentials(url)}"
        self._timeout_seconds = timeout_seconds
        self._places = BoundedSemaphore(AT_A_TIME)
        self._prometheus = PrometheusConnect(
            url.rstrip("/"),
            headers=dict(credentials.headers or {}),
            session=session,
            retry=RETRIES,
            timeout=timeout_seconds,
            method="POST",
        )
        session.mount(self._prometheus.url, Adapter(max_retries=RETRIES))  # in place of the library's own

    def points(self, selector: str, *, at: float, window_seconds: float) -> Iterator[RawSeries]:
        """Yield every raw sample of the selected series in the `window_seconds` up to `at` (unix seconds).

        Raises:
            MetricsUnavailable: No answer, an answer that is not Prometheus', or one that is only partial.
        """
        answer = self._query(f"{selector}[{round(window_seconds * 1000)}ms]", at, "matrix")
        while answer:  # each is let go as soon as it is taken: an answer may be large
            yield answer.pop()

    def knew(self, expression: str, at: float) -> bool:
        """Return whether an instant vector had any series at `at`, that is, a sample in the five minutes before it.

        Raises:
            MetricsUnavailable: As for `points`.
        """
        return bool(self._query(f"count({expression})", at, "vector"))

    def values(self, label: str, selector: str, *, at: float, window_seconds: float) -> frozenset[str]:
        """Return the values that a label of the selected series had in the `window_seconds` up to `at`.

        Raises:
            MetricsUnavailable: As for `points`.
        """
        query = f"group by ({label}) (last_over_time({selector}[{round(window_seconds * 1000)}ms]))"
        return frozenset(one.labels.get(label, "") for one in self._query(query, at, "vector")) - {""}

    def _query(self, query: str, at: float, kind: str) -> list[RawSeries]:
        if not self._places.acquire(timeout=self._timeout_seconds):
            raise Unanswered(f"{self._name} did not answer others within {self._timeout_seconds:g} s")
        try:
            answer = self._answer(query, at)
        finally:
            self._places.release()
        if answer.kind != kind:
            raise MetricsUnavailable(
                f"{self._name} answered with a {shorten(answer.kind, 40)} where a {kind} was asked for"
            )
        return answer.series

    def _answer(self, query: str, at: float) -> Answer:
        # Thanos answers with what it has unless told that a part is not enough.
        params = {"time": f"{at:.3f}", "partial_response": "false"}
        is_answered, asked = False, monotonic()
        try:
            answer: Answer = self._prometheus.custom_query(query, params)
            is_answered = True
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unanswered(self._silence(error)) from error
        except (NotPrometheusError, RefusedError, PrometheusApiClientException, UnicodeError) as error:
            raise MetricsUnavailable(self._refusal(error)) from error
        finally:
            self._on_query(monotonic() - asked, is_answered)
        return answer

    def _silence(self, error: Exception) -> str:
        match error:
            case requests.Timeout() | ReadTimeoutError():
                return f"{self._name} did not answer within {self._timeout_seconds:g} s"
            case requests.RequestException() | HTTPError():
                return f"{self._name} cannot be reached: {_cause(error)}"
            case _:
                return f"{self._name} was not asked: {error}"

    def _refusal(self, error: Exception) -> str:
        match error:
            case NotPrometheusError():
                return f"{self._name} answered, but not as Prometheus does: check the address"
            case UnicodeError():
                return f"{self._name} was not asked: the query or the token holds characters that cannot be sent"
            case _:
                return f"{self._name} refused the query: {shorten(str(error), 300)}"


class _Session(requests.Session):
    """Sends as a form what the library would put into the URL, which proxies commonly cut at 8 kB."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        request.data, request.params = request.params, {}
        return super().prepare_request(request)


class _Auth(AuthBase):
    """Says who is asking, with what the files hold at that moment."""

    def __init__(self, credentials: Credentials):
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        given = self._credentials
        if given.password_file:
            HTTPBasicAuth((given.username or "").encode(), _secret(given.password_file).encode())(request)
        elif given.token_file:
            request.headers["Authorization"] = f"Bearer {_secret(given.token_file)}"
        return request


def _secret(file: Path) -> str:
    """Return what a file holds; what could not be sent is refused without a word of it, for reasons are shown.

    Raises:
        OSError: It cannot be read, or is no line of text.
    """
    content = file.read_text(errors="surrogateescape").strip()
    if not content.isprintable():
        raise OSError(f"{file} does not hold one line of text: write the password or token there and nothing else")
    return content


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _cause(error: BaseException) -> str:
    """Return what the operating system said, without the layers that HTTP libraries wrap around it."""
    while error.__context__:
        error = error.__context__
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _read_in_time(response: requests.Response, *, timeout: float, **_: Any) -> None:
    """Read the body; the library's own limit is for each wait, so that what drips would hold us for hours.

    Raises:
        requests.ReadTimeout: It is not whole after `timeout` seconds.
        MetricsUnavailable: It is larger than any answer that we could ask for.
    """
    body, until = BytesIO(), monotonic() + timeout
    while piece := response.raw.read1(PIECE, decode_content=True):
        body.write(piece)
        if monotonic() > until:
            response.close()
            raise requests.ReadTimeout
        if body.tell() > LARGEST_ANSWER:
            response.close()
            raise MetricsUnavailable(f"Prometheus answered with more than {LARGEST_ANSWER // 1_000_000} MB")
    body.seek(0)
    response.raw = body


def _understand(response: requests.Response, **_: Any) -> None:
    """Let answers be understood here when the library asks for what is in them; refusals are Prometheus' own words."""
    if response.status_code >= requests.codes.bad_request:
        with suppress(NotPrometheusError):
            answered(response.content)
        return
    answer = {"data": {"result": answered(response.content)}}
    response.json = lambda **_: answer  # type: ignore[method-assign]  # a cycle by way of the response would keep it


def _refuse_partial(response: requests.Response, **_: Any) -> None:
    """Raise if data are missing: of what else could Thanos warn in a plain selector? VictoriaMetrics has a flag."""
    beside = _beside_the_series(response.content)
    if b'"isPartial":true' in beside:
        raise MetricsUnavailable("Prometheus answered only in part: some of its storage nodes did not answer")
    if b'"warnings"' in beside and (warnings := _warnings(response.content)):
        raise MetricsUnavailable(f"Prometheus answered only in part: {shorten('; '.join(warnings), 300)}")


def _warnings(body: bytes) -> list[str]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return []  # whose answer that is, is looked at where it is understood
    return list(map(str, answer.get("warnings") or [])) if isinstance(answer, dict) else []


def _beside_the_series(body: bytes) -> bytes:
    """Return where an answer may say more than its series, which are many: all of it, if anything comes after them."""
    return body[: body.find(b'"result":[')] if body.endswith(b"]}}") else body
