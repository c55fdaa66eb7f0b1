"""The reverse proxy: every request goes to the real server, unless the script has something else in mind."""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import unquote_plus

import aiohttp
from aiohttp import web

from canary_analyzer.sandbox.faults.answers import Rewrite, rewritten
from canary_analyzer.sandbox.faults.rules import Action, Asked, Drop, Fired, Refuse, Rule, Script, Slow, Stale, Truncate
from canary_analyzer.sandbox.faults.watches import Lines, WatchFault, passed

# Of the connection, not of the message (RFC 9110, 7.6.1); and bodies are changed, so nobody may compress them.
_NOT_FORWARDED = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "accept-encoding"}
_REMEMBERED_READS = 1000


class FaultProxy:
    """Stands before one server (`upstream`, a URL) for as long as the block lasts; `url` is where clients go."""

    def __init__(self, upstream: str, rules: Sequence[Rule] = (), *, seed: int = 0) -> None:
        self.url = ""
        self._upstream = upstream.rstrip("/")
        self._script = Script(rules=tuple(rules), seed=seed)
        self._reads: dict[str, deque[bytes]] = {}

    @property
    def fired(self) -> Sequence[Fired]:
        """What the present script has done, oldest first."""
        return tuple(self._script.fired)

    def play(self, *rules: Rule, seed: int = 0) -> None:
        """Another script from now on; none lets everything pass."""
        self._script = Script(rules=rules, seed=seed)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        script = self._script
        actions = script.actions(_asked(request, body))
        for action in actions:
            match action:
                case Slow():
                    await asyncio.sleep(action.seconds)
                case Refuse():
                    return _refusal(action)
                case Drop(after=False):
                    return _broken(request)
        return await self._forward(request, body, actions, script)

    async def _forward(
        self, request: web.Request, body: bytes, actions: Sequence[Action], script: Script
    ) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_FORWARDED}
        url = self._upstream + request.raw_path
        try:
            async with self._session.request(
                request.method, url, data=body or None, headers=headers, allow_redirects=False
            ) as answer:
                if _is_watch(request) and answer.status == 200:
                    return await _stream(request, answer, actions)
                content = self._remembered(request, await answer.read(), actions)
        except aiohttp.ClientConnectionError:
            return _broken(request)  # the server is down, or was killed: so it looks from here
        if any(isinstance(action, Drop) for action in actions):
            return _broken(request)
        for action in actions:
            if isinstance(action, Rewrite) and answer.status == 200:
                content = _rewritten(action, content, script)
        broken = next((action for action in actions if isinstance(action, Truncate)), None)
        return await _sent(request, answer, content, broken)

    def _remembered(self, request: web.Request, content: bytes, actions: Sequence[Action]) -> bytes:
        """The answer of a read: the one before the last change where staleness is asked for."""
        if request.method != "GET":
            return content
        while len(self._reads) > _REMEMBERED_READS:
            self._reads.pop(next(iter(self._reads)))
        known = self._reads.setdefault(request.raw_path, deque(maxlen=2))
        if not known or known[-1] != content:
            known.append(content)
        return known[0] if any(isinstance(action, Stale) for action in actions) else content


def _asked(request: web.Request, body: bytes) -> Asked:
    form = body.decode(errors="replace") if request.content_type == "application/x-www-form-urlencoded" else ""
    query = unquote_plus("&".join(filter(None, (request.query_string, form))))
    return Asked(method=request.method, path=request.path, query=query, watch=_is_watch(request))


def _is_watch(request: web.Request) -> bool:
    return request.method == "GET" and request.query.get("watch", "").lower() in ("true", "1")


def _refusal(refuse: Refuse) -> web.Response:
    headers = {} if refuse.retry_after is None else {"Retry-After": str(refuse.retry_after)}
    content_type = "application/json" if refuse.reason else "text/plain"
    return web.Response(status=refuse.status, body=refuse.body(), content_type=content_type, headers=headers)


def _broken(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


def _rewritten(action: Rewrite, content: bytes, script: Script) -> bytes:
    answer: dict[str, Any] = json.loads(content)
    if answer.get("status") != "success" or "result" not in (answer.get("data") or ()):
        return content
    return json.dumps(rewritten(action, answer, script.chance), separators=(",", ":")).encode()


async def _sent(
    request: web.Request, answer: aiohttp.ClientResponse, content: bytes, broken: Truncate | None
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.content_length = len(content)
    await response.prepare(request)
    if broken:
        await response.write(content[: int(len(content) * broken.share)])
        await asyncio.sleep(0)  # what was written leaves before the connection goes
        return _broken(request)
    await response.write(content)
    return response


async def _stream(
    request: web.Request, answer: aiohttp.ClientResponse, actions: Sequence[Action]
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    await response.prepare(request)
    lines = _lines(answer)
    faults = [action for action in actions if isinstance(action, WatchFault)]
    for fault in faults:
        lines = passed(fault, lines)
    try:
        async for line in lines:
            await response.write(line)
    except ConnectionError:
        return _broken(request)  # the client has gone
    if faults and not answer.content.at_eof():
        await asyncio.sleep(0)  # what was written leaves before the connection goes
        return _broken(request)
    return response


async def _lines(answer: aiohttp.ClientResponse) -> Lines:
    rest = b""
    async for chunk in answer.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in _NOT_FORWARDED}
