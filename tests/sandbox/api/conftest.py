"""An API server of one's own for every test, in the test's event loop."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from canary_analyzer.sandbox.api import ApiServer

Document = dict[str, Any]

JSON = "application/json"
DEFAULT = "/api/v1/namespaces/default"


class Http:
    """Plain requests; `send` gives status and document."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def send(self, method: str, path: str, body: Any = None, kind: str = JSON) -> tuple[int, Document]:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        async with self.session.request(method, path, data=data, headers={"Content-Type": kind}) as response:
            return response.status, json.loads(await response.text())

    async def ok(self, method: str, path: str, body: Any = None, kind: str = JSON) -> Document:
        status, document = await self.send(method, path, body, kind)
        assert status < 300, document
        return document

    async def config_map(self, name: str, **metadata: Any) -> Document:
        return await self.ok("POST", f"{DEFAULT}/configmaps", {"metadata": {"name": name, **metadata}})

    async def watch(self, path: str, enough: int) -> list[Document]:
        events: list[Document] = []
        async with self.session.get(path) as response:
            async for line in response.content:
                events.append(json.loads(line))
                if len(events) >= enough:
                    break
        return events


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer(history=5, bookmark_seconds=0.05) as running:
        yield running


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[Http]:
    async with aiohttp.ClientSession(server.url) as session:
        yield Http(session)
