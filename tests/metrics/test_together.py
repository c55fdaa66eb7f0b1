"""Samples of many runs, read from a real Prometheus and judged together."""

import pytest

from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.run import Window
from canary_analyzer.service.samples import read, read_together

START = 1_700_000_000.0
NAMESPACES = ("shop", "down", "team-3", "gap", "stale")


@pytest.fixture
def runs(make):
    """One run in each of some namespaces, whose samples count from the start."""
    policy = make.policy(tick_seconds=10)
    names = {"deployment": "web", "service": "web", "canary": "web-canary", "canary_service": "web-canary"}
    when = {"started": START, "windows": (Window(since=START),)}
    return [make.run(namespace=namespace, policy=policy, **names, **when) for namespace in NAMESPACES]


def stood(progress):
    # NaN equals nothing, but looks the same.
    return repr((progress.until, progress.totals, progress.verdict, progress.unavailable))


@pytest.mark.parametrize("ticks", [(10,), (10, 20, 30), (10, 40), (10, 20, 60, 70)], ids=str)
def test_runs_that_are_read_together_come_to_what_each_comes_to_alone(prometheus, runs, ticks):
    alone, shared = SampleReader(prometheus), SampleReader(prometheus)
    one_by_one = together = [fresh(run) for run in runs]
    for at in ticks:
        now = START + at
        one_by_one = [read(alone, run, progress, now) for run, progress in zip(runs, one_by_one, strict=True)]
        together = read_together(shared, list(zip(runs, together, strict=True)), now)
        together = [read(shared, run, progress, now) for run, progress in zip(runs, together, strict=True)]
    assert [*map(stood, together)] == [*map(stood, one_by_one)]
    assert together[0].totals.baseline_requests > 0


def test_what_cannot_be_read_together_is_left_for_the_run_itself(answering, runs):
    with answering(503, "down") as url:
        from_nowhere = SampleReader(PrometheusReader(url))
        before = [fresh(run) for run in runs]
        assert read_together(from_nowhere, list(zip(runs, before, strict=True)), START + 10) == before
