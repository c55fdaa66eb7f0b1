"""A request to the API server, and its answer taken in: whole, in time, and by what the server itself says."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3

from canary_analyzer.cluster.errors import ERRORS, LONGEST_WAIT_SECONDS, ClusterError, Conflict, Taken
from canary_analyzer.routing import Document

ANSWER_SECONDS = 30.0
"""So long a whole answer may take: one that comes in drops would never end."""
ANSWER_BYTES = 256 * 1024 * 1024
"""So large it may be; what an API server has to say in a list is ten times smaller."""
PART_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of an API server."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: object = None
    content_type: str = "application/json"
    accept: str = "application/json"
    verb: str = ""
    """As in RBAC, where the method does not tell."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def content(request: Request, response: urllib3.BaseHTTPResponse) -> bytearray:
    """Read an answer to its end.

    Raises:
        ClusterError: it broke off, or comes too slowly, or is too large, to be an API server's.
    """
    until, read = time.monotonic() + ANSWER_SECONDS, bytearray()
    try:
        while part := response.read1(PART_BYTES):
            read += part
            if len(read) > ANSWER_BYTES or time.monotonic() > until:
                response.close()
                raise ClusterError(f"{request}: no end of the answer after {len(read)} bytes: given up")
    except urllib3.exceptions.HTTPError as error:
        raise ClusterError(f"{request}: the answer broke off: {error}") from error
    return read


def watched(plural: str, response: urllib3.BaseHTTPResponse) -> Iterator[tuple[str, Document]]:
    """Yield the events of a watch as they come, until the server ends it.

    Raises:
        Expired: it has forgotten what the watch is to go on from.
        ClusterError: the connection broke.
    """
    try:
        yield from _events(response)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise ClusterError(f"watching {plural}: {error}") from error
    finally:
        response.close()


def refusal(request: Request, response: urllib3.BaseHTTPResponse) -> ClusterError:
    """Return why the server did not do what was asked, by what it says itself."""
    try:
        told = json.loads(content(request, response))
    except (ClusterError, ValueError):
        told = None
    status = told if isinstance(told, dict) and told.get("kind") == "Status" else {}
    message = f"{request}: {response.status} {status.get('message') or response.reason}"
    wait = response.headers.get("Retry-After", "")
    seconds = min(float(wait), LONGEST_WAIT_SECONDS) if wait.isdecimal() else 0.0
    kind = ClusterError if response.status == 404 and not _is_gone(request, status) else ERRORS.get(response.status)
    if kind is Conflict and status.get("reason") == "AlreadyExists":
        kind = Taken  # a quota that others use up at the same time is answered with 409 as well
    return (kind or ClusterError)(message, response.status, seconds)


def _is_gone(request: Request, status: Mapping[str, Any]) -> bool:
    """Whether a 404 says that there is no such object, or that the kind of those that were to be listed is unknown.

    A server that has just begun, or a proxy before it, answers any path so, but in plain text.
    """
    name = (status.get("details") or {}).get("name")
    return request.verb in ("list", "watch") or (bool(status) and name in (None, *request.path.split("/")))


def _events(response: urllib3.BaseHTTPResponse) -> Iterator[tuple[str, Document]]:
    buffer = b""
    for chunk in response.stream(None, decode_content=True):
        *lines, buffer = (buffer + chunk).split(b"\n")
        if len(buffer) > ANSWER_BYTES:
            raise ValueError(f"no end of an event after {len(buffer)} bytes")
        yield from map(_event, filter(None, lines))


def _event(line: bytes) -> tuple[str, Document]:
    match json.loads(line):
        case {"type": "ERROR", "object": dict(status)}:
            raise ERRORS.get(status.get("code", 0), ClusterError)(f"watch: {status.get('message')}")
        case {"type": str(change), "object": dict(changed)}:
            return change, changed
        case _:
            raise ValueError(f"no event of Kubernetes: {line[:80]!r}")
