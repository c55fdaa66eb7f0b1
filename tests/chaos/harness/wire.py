"""The official client's connection pool, led into the emulator: writes are counted here, and everything goes wrong."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import unquote_plus, urlsplit

import urllib3

from canary_analyzer.cluster.client import WATCH_SECONDS
from canary_analyzer.sandbox.faults import (
    CutWatch,
    Drop,
    DuplicateEvents,
    ExpireWatch,
    Refuse,
    ReorderEvents,
    Rule,
    Slow,
    Stale,
    Truncate,
)
from canary_analyzer.sandbox.faults.rules import Action, Asked, Script
from canary_analyzer.sandbox.faults.watches import WatchFault
from harness.emulator import NAMESPACE, Document, Emulator
from harness.strand import Strand

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
TIMEOUT = 15.0
"""Seconds after which the client has given up an answer (`canary_analyzer.cluster.client.TIMEOUT`)."""


class Clock(Protocol):
    """What tells the time, and lets it pass."""

    now: float

    def sleep(self, seconds: float) -> None:
        """Let seconds pass."""


class Wire:
    """Answers requests from the emulator, spoilt by a script of faults.

    Args:
        emulator: behind it.
        written: told of every write that the server carried out, before its answer is on the way.
        clock: of the world.
    """

    def __init__(self, emulator: Emulator, written: Callable[[str], None], clock: Clock) -> None:
        self._emulator, self._written, self._clock = emulator, written, clock
        self._script = Script(rules=())
        self._reads: dict[str, list[bytes]] = {}
        self.hits: Counter[str] = Counter()
        """How many requests and events each kind of fault has hit."""
        self.strand: Strand | None = None
        """Who watches."""

    def play(self, *rules: Rule, seed: int = 0) -> None:
        """Let these faults happen from now on."""
        self._script = Script(rules=rules, seed=seed)

    @property
    def revision(self) -> int:
        """Changes with everything that there may be to hear of."""
        return self._emulator.store.revision

    def sleep(self, seconds: float) -> None:
        """Let seconds pass; for whoever watches, others go on meanwhile."""
        until = self._clock.now + seconds
        if self.strand is None or not self.strand.is_here:
            self._clock.sleep(seconds)
            return
        while self._clock.now < until:
            self.strand.pause(until)

    def request(
        self, method: str, url: str, *, body: Any = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> urllib3.HTTPResponse:
        """Answer as `urllib3.PoolManager.request` does."""
        parts = urlsplit(url)
        watch = "watch=true" in parts.query
        asked = Asked(method=method, path=parts.path, query=unquote_plus(parts.query), watch=watch)
        actions = self._script.actions(asked)
        self.hits.update(type(action).__name__ for action in actions if not isinstance(action, WatchFault))
        for action in actions:
            if isinstance(action, Refuse):
                told = {} if action.retry_after is None else {"retry-after": str(action.retry_after)}
                return _response(action.status, action.body(), more=told)
            if isinstance(action, Drop) and not action.after:
                raise urllib3.exceptions.ProtocolError("the connection broke before an answer")
        if watch:
            return _Watch(self._events(asked, parts.query))
        status, content = self._emulator.answer(method, url, headers or {}, _bytes(body))
        if method in WRITES and status < 300 and "dryRun" not in parts.query:
            self._written(f"{method} {parts.path}")
        return self._spoilt(url, method, (status, content), actions)

    def _spoilt(self, url: str, method: str, answer: tuple[int, bytes], actions: list[Action]) -> urllib3.HTTPResponse:
        status, content = answer
        if method == "GET":
            known = self._reads.setdefault(url, [content])
            if known[-1] != content:
                self._reads[url] = known = [known[-1], content]
        cut = None
        for action in actions:
            match action:
                case Slow(seconds=seconds):
                    self.sleep(min(seconds, TIMEOUT))
                    if seconds > TIMEOUT:
                        raise urllib3.exceptions.ReadTimeoutError(None, url, "timed out")  # type: ignore[arg-type]
                case Drop():
                    raise urllib3.exceptions.ProtocolError("the connection broke before the answer was there")
                case Stale() if method == "GET":
                    content = self._reads[url][0]
                case Truncate(share=share):
                    cut = int(len(content) * share)
        return _response(status, content, cut)

    def _events(self, asked: Asked, query: str) -> Iterator[bytes]:
        """Yield what happens after the watch's resourceVersion, as far as the script of the moment lets it through."""
        script, fault, told, ends = None, None, 0, self._clock.now + WATCH_SECONDS
        since = int(dict(pair.split("=") for pair in query.split("&"))["resourceVersion"])
        cursor = self._emulator.store.follow(_kind(asked.path), since)
        while self._clock.now < ends:
            if script is not self._script:
                script, told = self._script, 0
                fault = next((each for each in script.actions(asked) if isinstance(each, WatchFault)), None)
            changes = [each for each in cursor.take() if each.after["metadata"]["namespace"] == NAMESPACE]
            for event in self._spoilt_events([_event(each) for each in changes], fault):
                if isinstance(fault, CutWatch | ExpireWatch) and told == fault.events:
                    self.hits[type(fault).__name__] += 1
                    if isinstance(fault, ExpireWatch):
                        yield _line({"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}})
                    return
                told += 1
                yield _line(event)
            if self.strand is not None:
                self.strand.pause(ends)

    def _spoilt_events(self, events: list[Document], fault: WatchFault | None) -> list[Document]:
        """Return events that have come together, as their client gets them."""
        match fault:
            case DuplicateEvents():
                self.hits["DuplicateEvents"] += len(events)
                return [event for event in events for _ in range(2)]
            case ReorderEvents():
                self.hits["ReorderEvents"] += len(events) // 2
                return [event for at in range(0, len(events), 2) for event in events[at : at + 2][::-1]]
        return events


class _Watch(urllib3.HTTPResponse):
    """An answer that goes on for as long as its events come."""

    def __init__(self, events: Iterator[bytes]) -> None:
        super().__init__(body=b"", status=200, preload_content=False)
        self._events = events

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:  # type: ignore[override]
        """Yield what comes."""
        return self._events


class _Body(io.BytesIO):
    """Closes itself at its end, as `http.client.HTTPResponse` does."""

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(size)

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() == len(self.getbuffer()):
            self.close()
        return data


def _kind(path: str) -> tuple[str, str]:
    steps = path.strip("/").split("/")
    group = "" if steps[0] == "api" else steps[1]
    return group, steps[-1]


def _event(change: Any) -> Document:
    kind = "DELETED" if change.deleted else "ADDED" if change.before is None else "MODIFIED"
    return {"type": kind, "object": change.after}


def _line(event: Document) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else str(body).encode()


def _response(
    status: int, content: bytes, cut: int | None = None, more: Mapping[str, str] = MappingProxyType({})
) -> urllib3.HTTPResponse:
    headers = {"content-type": "application/json", "content-length": str(len(content)), **more}
    sent = _Body(content if cut is None else content[:cut])
    return urllib3.HTTPResponse(body=sent, headers=headers, status=status, reason=str(status), preload_content=False)
