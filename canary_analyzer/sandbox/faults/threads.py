"""The proxy for tests without an event loop: it runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from canary_analyzer.sandbox.faults.proxy import FaultProxy
from canary_analyzer.sandbox.faults.rules import Rule

STOP_SECONDS = 10.0


@contextmanager
def faulty(upstream: str, rules: Sequence[Rule] = (), *, seed: int = 0) -> Iterator[FaultProxy]:
    """A proxy before a server for as long as the block lasts; `play` may be called from any thread."""
    proxy = FaultProxy(upstream, rules, seed=seed)
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def serve() -> None:
        async with proxy:
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()
            ready.set()

    thread = threading.Thread(target=run, name="faults", daemon=True)
    thread.start()
    ready.wait()
    if not proxy.url:
        raise OSError("the fault proxy did not start: see the trace of its thread")
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(STOP_SECONDS)
