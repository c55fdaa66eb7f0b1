"""An open-loop client: requests leave at a steady rate, however long the answers take.

A client that waits for answers would slow down exactly when the service does, and so hide it.
"""

import asyncio
import time

import aiohttp

from canary_analyzer.sandbox.load.tally import Loss, Tally

VERSION_HEADER = "x-app-version"
POD_HEADER, CAUSE_HEADER = "x-sandbox-pod", "x-sandbox-cause"  # on answers that the proxy gives itself
TIMEOUT_SECONDS = 10.0
CATCH_UP_SECONDS = 0.1  # of a schedule missed by more than this, the rest is dropped: no bursts after a pause


class LoadClient:
    """Sends GET requests to one URL, at `rate` requests per second, until cancelled; 0 means none.

    Some of them may be slow: see `set_slow`.
    """

    def __init__(self, http: aiohttp.ClientSession, url: str, host: str, rate: float) -> None:
        self.tally = Tally()
        self._http = http
        self._url = url
        self._headers = {"Host": host}
        self._rate = rate
        self._rate_changed = asyncio.Event()
        self._slow_every, self._slow_seconds = 0, 0.0
        self._started = 0

    def set_rate(self, rate: float) -> None:
        """Change the rate at once; raises ValueError on a negative one."""
        if not 0 <= rate < float("inf"):
            raise ValueError(f"{rate} is not a rate: give requests per second, 0 for none")
        self._rate = rate
        self._rate_changed.set()

    def set_slow(self, every: int, seconds: float) -> None:
        """Ask with every so many-th request for an answer that takes so long; 0 for none. Raises ValueError."""
        if every < 0 or not 0 <= seconds < TIMEOUT_SECONDS:
            raise ValueError(f"every {every} requests for {seconds} s: give counts and less than {TIMEOUT_SECONDS} s")
        self._slow_every, self._slow_seconds = every, seconds

    async def run(self) -> None:
        """Send until cancelled; what is in flight then is cancelled with it and never counted."""
        async with asyncio.TaskGroup() as requests:
            due = time.monotonic()
            while True:
                due = max(await self._next(due), time.monotonic() - CATCH_UP_SECONDS)
                requests.create_task(self._request())

    async def _next(self, due: float) -> float:
        """Wait for the next request's time; a changed rate starts a new schedule."""
        while True:
            following = due + 1 / self._rate if self._rate else None
            pause = None if following is None else following - time.monotonic()
            if following is not None and pause is not None and pause <= 0:
                return following
            try:
                async with asyncio.timeout(pause):
                    await self._rate_changed.wait()
            except TimeoutError:
                continue
            self._rate_changed.clear()
            due = time.monotonic()

    async def _request(self) -> None:
        started = time.monotonic()
        self.tally.in_flight += 1
        try:
            failure = await self._exchange()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            failure = {"cause": f"{type(error).__name__}: {error}"}
        finally:
            self.tally.in_flight -= 1
        if failure:
            self.tally.lose(Loss(time=time.time(), seconds=round(time.monotonic() - started, 3), **failure))

    async def _exchange(self) -> dict[str, str]:
        """One request; why its answer is none, and what the proxy says about it, or nothing."""
        async with self._http.get(self._url, headers=self._headers, params=self._parameters()) as answer:
            body = await answer.read()
            version = answer.headers.get(VERSION_HEADER)
            if version is not None:
                self.tally.answered(version, answer.status)
                return {}
            cause = f"status {answer.status} without {VERSION_HEADER}: {body[:200].decode(errors='replace')}"
            pod, flags = (answer.headers.get(name, "-") for name in (POD_HEADER, CAUSE_HEADER))
            return {"cause": cause, "pod": pod.strip("-"), "flags": flags.strip("-")}

    def _parameters(self) -> dict[str, str]:
        self._started += 1
        slow = self._slow_every and self._started % self._slow_every == 0
        return {"seconds": str(self._slow_seconds)} if slow else {}


def session() -> aiohttp.ClientSession:
    """Keep-alive connections without a limit on their number: the schedule must not wait for a free one."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60), timeout=timeout)
