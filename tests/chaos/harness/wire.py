"""The official client's connection pool, led into the emulator: writes are counted here, and everything goes wrong."""

import io
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import urllib3

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
from harness.emulator import NAMESPACE, Document, Emulator

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
TIMEOUT = 15.0
"""Seconds after which the client has given up an answer (`canary_analyzer.cluster.client.TIMEOUT`)."""


class Quiet(BaseException):
    """The watch has told everything there is, and nobody is going to wait for more."""


class Wire:
    """Answers requests from the emulator, spoilt by a script of faults.

    Args:
        emulator: behind it.
        written: told of every write that the server carried out, before its answer is on the way.
        sleep: lets seconds pass.
    """

    def __init__(self, emulator: Emulator, written: Callable[[str], None], sleep: Callable[[float], None]) -> None:
        self._emulator, self._written, self.sleep = emulator, written, sleep
        self._script = Script(rules=())
        self._reads: dict[str, list[bytes]] = {}

    def play(self, *rules: Rule, seed: int = 0) -> None:
        """Let these faults happen from now on."""
        self._script = Script(rules=rules, seed=seed)

    def request(
        self, method: str, url: str, *, body: Any = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> urllib3.HTTPResponse:
        """Answer as `urllib3.PoolManager.request` does."""
        parts = urlsplit(url)
        watch = "watch=true" in parts.query
        asked = Asked(method=method, path=parts.path, query=unquote_plus(parts.query), watch=watch)
        actions = self._script.actions(asked)
        for action in actions:
            if isinstance(action, Refuse):
                told = {} if action.retry_after is None else {"retry-after": str(action.retry_after)}
                return _response(action.status, action.body(), more=told)
            if isinstance(action, Drop) and not action.after:
                raise urllib3.exceptions.ProtocolError("the connection broke before an answer")
        if watch:
            return _response(200, self._events(parts.path, parts.query, actions))
        status, content = self._emulator.answer(method, url, headers or {}, _bytes(body))
        if method in WRITES and status < 300:
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

    def _events(self, path: str, query: str, actions: list[Action]) -> bytes:
        """What has happened since the watch's resourceVersion, as far as the script lets it through."""
        group, plural = _kind(path)
        since = int(dict(pair.split("=") for pair in query.split("&"))["resourceVersion"])
        if (group, plural) != ("apps", "deployments"):
            raise Quiet
        changes = self._emulator.store.follow((group, plural), since).take()
        if not changes and not actions:
            raise Quiet
        lines = [_event(change) for change in changes if change.after["metadata"]["namespace"] == NAMESPACE]
        for action in actions:
            match action:
                case CutWatch(events=events):
                    lines = lines[:events]
                case DuplicateEvents():
                    lines = [line for line in lines for _ in range(2)]
                case ReorderEvents():
                    lines = [line for pair in zip(lines[1::2], lines[::2], strict=False) for line in pair]
                case ExpireWatch(events=events):
                    gone = {"code": 410, "message": "too old resource version"}
                    lines = [*lines[:events], {"type": "ERROR", "object": gone}]
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


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
