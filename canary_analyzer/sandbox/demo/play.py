"""The demo from beginning to end: start everything, try three canaries one after the other, say how it went."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console

from canary_analyzer.sandbox.client import DEPLOYMENTS, ApiError, KubeClient
from canary_analyzer.sandbox.demo.observe import DEPLOYMENT, NAMESPACE, Addresses, Look, Observer
from canary_analyzer.sandbox.demo.outcome import ENDED, ROLLOUTS, Load, Outcome, Rollout, last_line
from canary_analyzer.sandbox.demo.parse import Growth
from canary_analyzer.sandbox.demo.processes import (
    CLI,
    DemoFailed,
    Started,
    answers,
    first_line,
    free_port,
    started,
    tail,
)
from canary_analyzer.sandbox.demo.screen import Screen
from canary_analyzer.sandbox.demo.view import Scene

CONFIG = Path(__file__).with_name("config.yaml")
IMAGE = "canary-analyzer.io/image"
LOAD_RPS = 100
READY_SECONDS = 60.0
ROLLOUT_SECONDS = 120.0
ALL_SECONDS = 290.0
LOOK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """All that is running, and how to look at it."""

    processes: tuple[Started, ...]
    kube: KubeClient
    observer: Observer
    kubeconfig: str


def run(console: Console) -> int:
    """Run the demo on `console` and return its exit code: 0 if all went as promised, 1 otherwise.

    It needs no answer, takes at most five minutes and leaves no process and no file behind.
    """
    with tempfile.TemporaryDirectory(prefix="canary-demo-") as folder:
        return asyncio.run(_demo(console, Path(folder)))


async def _demo(console: Console, folder: Path) -> int:
    outcomes: list[Outcome] = []
    load: Load | None = None
    trouble = ""
    try:
        async with asyncio.timeout(ALL_SECONDS), _stage(console, folder) as stage:
            await _play(console, stage, outcomes)
            load = await stage.observer.load()
    except TimeoutError:
        trouble = f"the demo was not over after {ALL_SECONDS:.0f} s"
    except (DemoFailed, ApiError, aiohttp.ClientError) as error:
        trouble = str(error)
    return _close(console, folder, outcomes, load, trouble)


def _close(console: Console, folder: Path, outcomes: Sequence[Outcome], load: Load | None, trouble: str) -> int:
    text, code = last_line(ROLLOUTS, outcomes, load, trouble)
    if code:
        for log in sorted(folder.glob("*.log")):
            console.print(f"\n--- end of {log.name}\n{tail(log)}", markup=False, highlight=False, soft_wrap=True)
    console.print()
    for line in (*map(str, outcomes), text):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return code


@asynccontextmanager
async def _stage(console: Console, folder: Path) -> AsyncIterator[Stage]:
    """Start the sandbox, then the service; both are gone when the block ends, the service first."""
    async with AsyncExitStack() as stack:
        console.print(f"Starting the sandbox with {LOAD_RPS} requests per second ...")
        command = (*CLI, "sandbox", "up", "--json", "--load", str(LOAD_RPS))
        sandbox = await stack.enter_async_context(started("sandbox", command, folder))
        found = await first_line(sandbox, READY_SECONDS)
        places = f"Prometheus is at {found['prometheus']}, the app at {found['ingress']}"
        console.print(f"Starting the service; {places}", soft_wrap=True)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        port = free_port()
        cluster = ("--kubeconfig", found["kubeconfig"], "--prometheus-url", found["prometheus"])
        serve = (*CLI, "serve", *cluster, "--config", str(CONFIG), "--http-port", str(port))
        service = await stack.enter_async_context(started("service", serve, folder))
        address = f"http://127.0.0.1:{port}"
        await answers(service, http, f"{address}/readyz", READY_SECONDS)
        kube = await stack.enter_async_context(KubeClient.from_kubeconfig(found["kubeconfig"]))
        addresses = Addresses(prometheus=found["prometheus"], control=found["control"], service=address)
        yield Stage(
            processes=(sandbox, service),
            kube=kube,
            observer=Observer(http, kube, addresses),
            kubeconfig=found["kubeconfig"],
        )


async def _play(console: Console, stage: Stage, outcomes: list[Outcome]) -> None:
    """Try the canaries in turn; after one that ends as it should not, the others would prove nothing."""
    await _traffic(stage)
    with Screen(console) as screen:
        for rollout in ROLLOUTS:
            outcome = await _roll_out(screen, stage, rollout)
            outcomes.append(outcome)
            screen.say(str(outcome))
            if not outcome.as_expected:
                return


async def _traffic(stage: Stage) -> None:
    """Return when Prometheus sees requests: it begins to scrape some seconds after its start."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not (await stage.observer.look()).baseline.rate:
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise DemoFailed(f"Prometheus saw no requests to {DEPLOYMENT} for {READY_SECONDS:.0f} s") from None


async def _roll_out(screen: Screen, stage: Stage, rollout: Rollout) -> Outcome:
    """Annotate as a user would, and watch until the run has ended or its time is up."""
    before = await stage.observer.status()
    served = Growth(last=(await stage.observer.look()).canary_total or 0.0)
    screen.say(f"\n{rollout.image}: {rollout.story}; expected: {rollout.expected}")
    screen.say(f"$ kubectl --kubeconfig {stage.kubeconfig} annotate deployment/{DEPLOYMENT} {IMAGE}={rollout.image}")
    body = {"metadata": {"annotations": {IMAGE: rollout.image}}}
    await stage.kube.patch(DEPLOYMENTS, NAMESPACE, DEPLOYMENT, body)
    begun, weight = time.monotonic(), 0.0
    while True:
        for process in stage.processes:
            process.must_live()
        look = await stage.observer.look()
        seconds = time.monotonic() - begun
        now = scene(rollout, look, seconds, before.run)
        served = served.seen(look.canary_total) if look.canary_total is not None else served
        weight = max(weight, now.wanted or 0.0)
        screen.show(now)
        if now.phase in ENDED or seconds > ROLLOUT_SECONDS:
            return Outcome(
                rollout=rollout,
                phase=now.phase,
                seconds=seconds,
                weight=weight,
                canary_requests=round(served.total),
                reason=now.reason,
            )
        await asyncio.sleep(LOOK_SECONDS)


def scene(rollout: Rollout, look: Look, seconds: float, run_before: str) -> Scene:
    """Return what is to be shown; the status of the run before says nothing about this one."""
    begun = look.status.run != run_before
    return Scene(
        image=rollout.image,
        phase=look.status.phase if begun else "",
        reason=look.status.reason if begun else "",
        seconds=seconds,
        wanted=look.progress.wanted,
        baseline=look.baseline,
        canary=look.canary,
        evidence=look.progress.evidence,
        load=look.load,
    )
