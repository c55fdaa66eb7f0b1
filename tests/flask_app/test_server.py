"""The application under gunicorn, as a pod runs it."""

import asyncio
import os
import signal
import socket
import sys

import aiohttp
import pytest

COMMAND = (sys.executable, "-m", "gunicorn", "--config", "python:flask_app.server", "flask_app.app:create_app()")
PATIENCE = 20
HOST = "127.0.0.2"
"""Where no other test listens: a port that was free stays so until the application has it."""


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@pytest.fixture
async def server():
    """A started server: process and URL."""
    port = free_port()
    environment = {"HOST": HOST, "PORT": str(port), "APP_VERSION": "v9", "LATENCY_MEDIAN_SECONDS": "0.2"}
    environment["DRAIN_SECONDS"] = "3"  # so long it has to be seen unready, and asked once more
    process = await asyncio.create_subprocess_exec(*COMMAND, env={**os.environ, **environment})
    url = f"http://{HOST}:{port}"
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        while not await is_up(session, url):
            await asyncio.sleep(0.02)
    yield process, url
    if process.returncode is None:
        process.kill()
        await process.wait()


async def is_up(session, url):
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def test_a_stop_turns_readiness_off_first_and_loses_no_request(server):
    process, url = server
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        in_flight = [asyncio.create_task(session.get(f"{url}/work")) for _ in range(20)]
        await asyncio.sleep(0)
        process.send_signal(signal.SIGTERM)
        unready = False
        while not unready:
            async with session.get(f"{url}/readyz") as response:
                unready = response.status == 503
        late = await session.get(f"{url}/work")
        answers = [late, *await asyncio.gather(*in_flight)]
        assert {(answer.status, answer.headers["x-app-version"]) for answer in answers} == {(200, "v9")}
        assert await process.wait() == 0
