"""A real browser, what it must not see, and runs to look at: played through the real judge, kept in a real record."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from canary_analyzer.analysis.types import ArmTick, Tick
from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.evidence import Counted, Edges, Reading, absorb, fresh
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.run import Moment, Run, Window
from canary_analyzer.rollout.story import Finding, Story, continued

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EDGES = (0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)
PATIENCE_MS = 90_000
"""For a machine on which everything else runs at the same time."""
WIDTHS = {"wide": 1280, "phone": 390}


@pytest.fixture(scope="session")
def browser():
    """Chromium as Debian packages it."""
    if CHROMIUM is None:
        message = "chromium is not on PATH: make setup installs Debian's package"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory) -> Path:
    """Where pictures for a person to look at are put: `make screenshots` says where, else a temporary folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Visit:
    """A browser tab that remembers whatever a page should not do."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def serious(self) -> list[str]:
        """What axe finds that keeps somebody from using the page."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def foreign(self, home: str) -> list[str]:
        """Requests to anywhere but where the page came from."""
        ours = urlsplit(home).netloc
        return [url for url in self.asked if urlsplit(url).scheme != "data" and urlsplit(url).netloc != ours]


@pytest.fixture
def visit(browser: Browser):
    """Open a URL in a tab of its own, dark or light, wide or as narrow as a phone; what went wrong fails the test."""
    visits: list[tuple[Visit, str]] = []
    contexts: list[BrowserContext] = []

    def opened(url: str, *, dark: bool = False, width: int = WIDTHS["wide"]) -> Visit:
        scheme = "dark" if dark else "light"
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        tab = Visit(context)
        tab.page.goto(url, wait_until="load")
        visits.append((tab, url))
        return tab

    yield opened
    for context in contexts:
        context.close()
    for tab, url in visits:
        assert tab.wrong == []
        assert tab.foreign(url) == []


@pytest.fixture
def shoot(visit, screenshots) -> Callable[[str, str], None]:
    """Take pictures of a URL: light and dark, wide and narrow; nothing on a narrow one may be out of reach."""

    def taken(url: str, name: str) -> None:
        for size, width in WIDTHS.items():
            for dark in (False, True):
                tab = visit(url, dark=dark, width=width)
                file = f"{name}-{size}-{'dark' if dark else 'light'}.png"
                tab.page.screenshot(path=screenshots / file, full_page=True, timeout=PATIENCE_MS)
                assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
                tab.page.close()

    return taken


BEGAN = 1_790_000_000.0


def begun(name: str = "checkout-7", **fields: Any) -> Run:
    whole = {
        "name": name,
        "namespace": "default",
        "deployment": name.rpartition("-")[0],
        "uid": "u-1",
        "service": "checkout",
        "canary": "checkout-canary",
        "canary_service": "checkout-canary",
        "label": ("track", "canary"),
        "trigger": "registry.example/checkout:2.4.0",
        "images": {"app": "registry.example/checkout:2.4.0"},
        "stable_images": {"app": "registry.example/checkout:2.3.1"},
        "stable_template": "old",
        "policy": RolloutPolicy(),
        "started": BEGAN,
        "phase": Phase.ANALYSING,
        "windows": (Window(since=BEGAN + 30),),
        "timeline": tuple(_climb()),
        "weight": 50,
        **fields,
    }
    return Run.model_validate(whole)


def _climb():
    yield Moment(at=BEGAN, phase=Phase.STARTING, weight=0, text="started: app: checkout:2.3.1 -> checkout:2.4.0")
    yield Moment(
        at=BEGAN + 18,
        phase=Phase.ANALYSING,
        weight=0,
        text="the canary is in the route; its weight goes to 5, 10, 25, 50 %",
    )
    for after, weight in ((20, 5), (80, 10), (140, 25), (200, 50)):
        yield Moment(at=BEGAN + after, phase=Phase.ANALYSING, weight=weight, text=f"weight goes to {weight} %")


def played(run: Run, ticks: int = 30, failing: float = 0.001, slower: float = 1.0) -> tuple[Run, Story]:
    """Return the run judged on so many ticks of a canary that fails and slows down by so much, and its story."""
    chance, progress, story = np.random.default_rng(7), fresh(run), Story()
    for _ in range(ticks):
        until = progress.until + 10
        weight = next((m.weight for m in reversed(run.timeline) if m.at <= until), 0)
        canary = _arm(chance, 6 * weight, failing, slower)
        baseline = _arm(chance, 6 * (100 - weight), 0.001, 1.0)
        interval = Counted(since=progress.until, until=until, tick=Tick(canary=canary, baseline=baseline))
        reading = Reading(progress=progress, run=run, counted=[interval], edges=Edges(latency=EDGES))
        progress = absorb(reading)
        story = continued(story, run, progress, progress.verdict)
    return run, story


def _arm(chance: np.random.Generator, requests: int, failing: float, slower: float) -> ArmTick:
    milliseconds = slower * 40 * chance.lognormal(0, 0.5, requests)
    latency = np.bincount(np.searchsorted(EDGES, milliseconds), minlength=len(EDGES) + 1)
    return ArmTick(requests=requests, errors=int(chance.binomial(requests, failing)), latency=latency)


def aborted(name: str = "checkout-6") -> tuple[Run, Story]:
    """A canary that fails too often, found worse, with what its pods had to say."""
    run, story = played(begun(name), ticks=24, failing=0.04, slower=1.3)
    reason = story.reasons[0]
    ends = (
        Moment(at=BEGAN + 242, phase=Phase.ABORTING, weight=50, text=reason),
        Moment(at=BEGAN + 242, phase=Phase.ABORTING, weight=0, text="weight goes to 0 %"),
        Moment(at=BEGAN + 281, phase=Phase.ABORTED, weight=0, text=reason),
    )
    pod = "Pod checkout-canary-7d9c5b8f4-x2x9k"
    found = (
        Finding(
            at=BEGAN + 243,
            about=f"{pod}, warning Events",
            text="2026-09-21T14:15:01Z (3 times): Unhealthy: Readiness probe failed",
        ),
        Finding(
            at=BEGAN + 243,
            about=f"{pod}, container app",
            text="running since 2026-09-21T14:13:38Z\nrestarted 1 times\nended before with exit code 137: OOMKilled",
        ),
        Finding(
            at=BEGAN + 243,
            about=f"{pod}, container app, last log lines",
            text="\n".join(
                f"[2026-09-21 14:17:{i:02}] ERROR in checkout: payment provider answered 502 to order {4711 + i}"
                for i in range(20)
            ),
        ),
    )
    ended = run.model_copy(
        update={
            "phase": Phase.ABORTED,
            "cause": Cause.JUDGED_WORSE,
            "verdict": "ABORT",
            "reason": reason,
            "weight": 0,
            "timeline": (*run.timeline, *ends),
        }
    )
    return ended, story.model_copy(update={"findings": found})


def keep(cluster: Cluster, run: Run, story: Story) -> None:
    """Write a run's record, as the service does."""
    records.save(cluster, replace(records.create(cluster, run, ()), run=run, story=story))


@pytest.fixture
def runs():
    """The builders of runs, and what keeps them."""

    class Runs:
        began = BEGAN
        begun = staticmethod(begun)
        played = staticmethod(played)
        aborted = staticmethod(aborted)
        keep = staticmethod(keep)

    return Runs
