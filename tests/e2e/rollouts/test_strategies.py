"""The manifests for the three strategies, applied as a user does, and what a good and a bad release cost with each.

`make strategies` writes what was measured into docs/strategies.md.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from canary_analyzer.cluster.client import DEPLOYMENTS, PODS
from canary_analyzer.rollout.phases import ENDED

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "flask_app/manifests"
PAGE = ROOT / "docs/strategies.md"
TABLE = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end -->)", re.DOTALL)
RPS = 60
REPLICAS = 3
POLICY = """
settle_seconds: 2
tick_seconds: 2
deadline_seconds: 150
rolling: {pace_seconds: 30}
blue_green: {analysis_seconds: 15, keep_seconds: 5}
steps: [{weight: 10, seconds: 10}, {weight: 50, seconds: 15}]
"""
WAYS = ("kubectl set image", "rolling", "blue-green", "canary")
NAMES = {"flask-app:v2": "good", "flask-app:v2-errors": "10 % errors"}
CASES = [(way, image) for way in WAYS for image in NAMES]
HEAD = (
    "| release | way | end | time | most pods | fewest ready | lost | answered by new pods | of them failed |",
    "|---|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one release cost: requests, seconds and pods."""

    way: str
    image: str
    end: str
    seconds: float
    most_pods: int
    fewest_ready: int
    lost: int
    answered: int
    failed: int


@dataclass
class Watch:
    """Pods as they come and go during a release."""

    user: object
    most: int = 0
    fewest_ready: int = REPLICAS

    def look(self):
        pods = self.user.cluster.list(PODS, "default", "app=flask-app").items
        live = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        self.most = max(self.most, len(live))
        self.fewest_ready = min(self.fewest_ready, sum(map(_ready, live)))


def _ready(pod):
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@pytest.fixture(scope="module")
def addresses(start_sandbox):
    with start_sandbox(RPS) as (_, addresses):
        yield addresses


@pytest.fixture(scope="module")
def costs():
    """What all cases cost; written into the page where that was asked for."""
    found = []
    yield found
    if os.environ.get("WRITE_STRATEGIES"):
        PAGE.write_text(TABLE.sub(lambda current: table(found, current[0]), PAGE.read_text()))


@pytest.fixture
def applied(addresses, make_user, kubectl):
    """Apply an overlay in place of what is there, and wait until it serves."""
    user = make_user(addresses)

    def apply(overlay):
        kubectl("delete", "deployment,service,virtualservice,gateway", "flask-app", "--ignore-not-found")
        kubectl("delete", "hpa,pdb", "flask-app", "--ignore-not-found")
        user.eventually(lambda: not user.cluster.list(PODS, "default", "app=flask-app").items, "the old pods to go")
        kubectl("apply", "-k", MANIFESTS / overlay)
        kubectl("rollout", "status", "deployment/flask-app", "--timeout", "60s")
        served = user.answered().get("v1", 0)
        user.eventually(lambda: user.answered().get("v1", 0) > served + RPS, "requests to be served")
        return user

    return apply


@pytest.mark.parametrize(("way", "image"), CASES, ids=[f"{way}, {image}" for way, image in CASES])
def test_a_release_costs(way, image, applied, addresses, make_service, tmp_path, costs):
    user = applied("rolling" if way == "kubectl set image" else way)
    before, watch, began = user.load(), Watch(user), time.monotonic()
    end = (
        _by_kubectl(user, image, watch)
        if way == "kubectl set image"
        else _annotated(user, image, way, watch, make_service(addresses, tmp_path))
    )
    cost = _cost(way, image, end, time.monotonic() - began, watch, before, user.load())
    costs.append(cost)

    bad = image == "flask-app:v2-errors"
    assert cost.lost == 0
    assert end == ("done" if way == "kubectl set image" else "Aborted" if bad else "Succeeded")
    assert bool(cost.failed) is bad


def _by_kubectl(user, image, watch):
    """The plain way: all users get it, whatever it does."""
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
    user.cluster.patch(DEPLOYMENTS, "default", "flask-app", patch)
    _until(user.rolled_out, watch)
    return "done"


def _annotated(user, image, way, watch, service):
    service.start()
    try:
        user.annotate(image=image, strategy=way, config=POLICY)
        _until(
            lambda: user.status().get("phase") in ENDED and "canary-analyzer.io/image" not in _annotations(user), watch
        )
        return user.status()["phase"]
    finally:
        service.stop()


def _annotations(user):
    return user.deployment()["metadata"]["annotations"]


def _until(done, watch, patience=250):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        watch.look()
        if done():
            return
        time.sleep(0.25)
    raise AssertionError(f"not within {patience} s; status: {watch.user.status()}")


def _cost(way, image, end, seconds, watch, before, after):
    version = image.partition(":")[2]
    counts, past = (load["by_version"].get(version, {}) for load in (after, before))
    news = {code: count - past.get(code, 0) for code, count in counts.items()}
    return Cost(
        way=way,
        image=image,
        end=end,
        seconds=seconds,
        most_pods=watch.most,
        fewest_ready=watch.fewest_ready,
        lost=after["lost"] - before["lost"],
        answered=sum(news.values()),
        failed=sum(count for code, count in news.items() if code.startswith("5")),
    )


def table(costs, current):
    """The page's table with the rows of these cases made anew; cases that were not run keep theirs."""
    rows = {tuple(cells(line)[:2]): line for line in current.splitlines()[2:]}
    rows |= {(NAMES[each.image], each.way): row(each) for each in costs}
    known = [rows[key] for key in ((NAMES[image], way) for image in NAMES for way in WAYS) if key in rows]
    return "\n".join([*HEAD, *known, ""])


def cells(line):
    return [cell.strip() for cell in line.strip("| ").split("|")]


def row(cost):
    figures = (cost.most_pods, cost.fewest_ready, cost.lost, cost.answered, cost.failed)
    told = (NAMES[cost.image], cost.way, cost.end, f"{cost.seconds:.0f} s", *map(str, figures))
    return f"| {' | '.join(told)} |"
