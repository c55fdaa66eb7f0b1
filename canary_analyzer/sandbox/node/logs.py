"""The logs of containers over HTTP, at the path where a kubelet has them: the API server asks here for `pods/log`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

POLL_SECONDS = 0.2
Find = Callable[[str, str], str | None]
"""From namespace and name of a pod to its uid; None where it does not run here."""


def log_file(directory: Path, uid: str, container: str) -> Path:
    """Where a container's present, or latest, life is logged."""
    return directory / f"{uid}_{container}.log"


def previous(log: Path) -> Path:
    """Where the life before that is logged."""
    return log.with_suffix(".previous")


def cut(content: bytes, query: Mapping[str, str]) -> bytes:
    """Apply `tailLines`, then `limitBytes`, as a kubelet does: the latter keeps the beginning."""
    if "tailLines" in query:
        lines = content.splitlines(keepends=True)
        content = b"".join(lines[max(0, len(lines) - int(query["tailLines"])) :])
    return content[: int(query["limitBytes"])] if "limitBytes" in query else content


@asynccontextmanager
async def serving(directory: Path, find: Find) -> AsyncIterator[int]:
    """Answer on a port of 127.0.0.1 while the block runs."""
    handler = _Handler(directory, find)
    application = web.Application()
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", handler.answer)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class _Handler:
    def __init__(self, directory: Path, find: Find) -> None:
        self._directory, self._find = directory, find

    async def answer(self, request: web.Request) -> web.StreamResponse:
        place, query = request.match_info, request.query
        uid = self._find(place["namespace"], place["pod"])
        log = log_file(self._directory, uid or "", place["container"])
        file = previous(log) if query.get("previous") == "true" else log
        if uid is None or not file.exists():
            kind = "previous terminated container" if file != log else "container"
            raise web.HTTPBadRequest(text=f'{kind} "{place["container"]}" in pod "{place["pod"]}" not found')
        content = file.read_bytes()
        if query.get("follow") == "true" and file == log:
            return await self._follow(request, file, content)
        return web.Response(body=cut(content, query), content_type="text/plain")

    async def _follow(self, request: web.Request, file: Path, content: bytes) -> web.StreamResponse:
        """Send what is there and what comes, until the pod is gone, the log begins anew, or nobody listens."""
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(cut(content, request.query))
        sent, place = len(content), request.match_info
        while self._find(place["namespace"], place["pod"]) is not None and file.stat().st_size >= sent:
            with file.open("rb") as opened:
                opened.seek(sent)
                more = opened.read()
            await response.write(more)
            sent += len(more)
            await asyncio.sleep(POLL_SECONDS)
        await response.write_eof()
        return response
