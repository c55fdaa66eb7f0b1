"""Processes are started, waited for with a deadline, and gone afterwards."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import pytest

from canary_analyzer.sandbox.demo.processes import DemoFailed, answers, first_line, free_port, started, tail

READY = 'print(\'{"api": "http://x"}\', flush=True); import time; time.sleep(60)'


async def test_a_process_says_where_it_is_and_ends_with_the_block(tmp_path):
    async with started("sandbox", [sys.executable, "-c", READY], tmp_path) as process:
        assert await first_line(process, 20) == {"api": "http://x"}
    assert process.process.returncode == -15


async def test_a_process_that_dies_is_noticed_and_its_log_kept(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no port left')"]
    async with started("sandbox", command, tmp_path) as process:
        with pytest.raises(DemoFailed, match="the sandbox ended with code 1"):
            await first_line(process, 20)
    assert tail(process.log) == "no port left"


async def test_a_process_that_says_something_else_is_noticed(tmp_path):
    async with started("sandbox", [sys.executable, "-c", "print('hello')"], tmp_path) as process:
        with pytest.raises(DemoFailed, match="said 'hello' where JSON was expected"):
            await first_line(process, 20)


async def test_waiting_for_the_first_line_has_a_deadline(tmp_path):
    async with started("sandbox", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path) as process:
        with pytest.raises(DemoFailed, match="not ready after 0 s"):
            await first_line(process, 0.05)


@pytest.mark.parametrize(
    ("code", "seconds", "reason"),
    [
        pytest.param("import time; time.sleep(60)", 0.3, "does not answer 200", id="silent"),
        pytest.param("raise SystemExit(2)", 20, "the service ended with code 2", id="dead"),
    ],
)
async def test_waiting_for_an_answer_has_a_deadline(tmp_path, code, seconds, reason):
    async with (
        started("service", [sys.executable, "-c", code], tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        with pytest.raises(DemoFailed, match=reason):
            await answers(process, http, f"http://127.0.0.1:{free_port()}/readyz", seconds)


async def test_an_answer_is_awaited(tmp_path):
    # Where no other test listens, the port stays free until it is taken.
    host, port = "127.0.0.2", free_port()
    command = [sys.executable, "-m", "http.server", "--bind", host, "--directory", str(tmp_path), str(port)]
    async with started("service", command, tmp_path) as process, aiohttp.ClientSession() as http:
        async with asyncio.timeout(30):
            await answers(process, http, f"http://{host}:{port}/", 20)


def test_the_tail_of_a_log_is_short(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("\n".join(map(str, range(100))))
    assert tail(log, 2) == "98\n99"
    assert tail(tmp_path / "none") == ""
