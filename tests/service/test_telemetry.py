"""What a scrape shows of runs and of the service; the dashboards and rules ask for these names."""

import time
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from canary_analyzer.analysis import Decision, MetricState, MetricVerdict, Verdict
from canary_analyzer.cluster.records import Record
from canary_analyzer.rollout.causes import Cause
from canary_analyzer.rollout.evidence import fresh
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.rolling import Rolling
from canary_analyzer.rollout.view import Evidence, Share, View, Wishes
from canary_analyzer.service.reconcile import Active
from canary_analyzer.service.telemetry import Telemetry

KEY = ("default", "app")
NAN = float("nan")


def metric(name="errors", **fields):
    whole = {
        "state": MetricState.UNDECIDED,
        "effect": 0.01,
        "low": -0.02,
        "high": 0.04,
        "evidence_against": 0.25,
        "evidence_for": 0.5,
        "n_canary": 10,
        "n_baseline": 90,
        "reason": "because",
    }
    return MetricVerdict(name=name, **(whole | fields))


def verdict(*metrics, decision=Decision.CONTINUE):
    return Verdict(decision=decision, metrics=metrics, reason="because", tick=1)


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def telemetry(registry):
    return Telemetry(registry)


@pytest.fixture
def value(registry):
    """Return the value of one series; of a run's, where the labels name none of their own."""

    def value(name, **labels):
        of_run = {"namespace": "default", "deployment": "app", "run": "app-1"}
        return registry.get_sample_value(f"canary_analyzer_{name}", of_run | labels)

    return value


@pytest.fixture
def active(run, make):
    """A run at 10 % that has been judged once, its view and share as a pass found them."""
    judged = Evidence(verdict=verdict(metric()), share=Share(canary=12, total=100))
    view = View(stable=make.workload(), wishes=Wishes(trigger="app:v2"), weight=9)
    moved = run.model_copy(update={"weight": 10, "phase": Phase.ANALYSING})
    return Active(record=Record(run=moved, routes=(), version="1"), progress=fresh(run), view=view, judged=judged)


def of_run(active, **fields):
    return replace(active, record=replace(active.record, run=active.run.model_copy(update=fields)))


def test_wanted_route_and_observed_weight_are_told_apart(telemetry, value, active):
    telemetry.show(KEY, active)
    assert [value("weight", kind=kind) for kind in ("wanted", "route", "observed")] == [10, 9, 12]


def test_what_is_not_known_has_no_series(telemetry, value, active):
    nothing = Evidence(verdict=verdict(metric(effect=NAN, low=NAN, high=float("inf"))), share=Share(canary=0, total=0))
    telemetry.show(KEY, replace(active, view=None, judged=nothing))
    assert value("weight", kind="route") is None
    assert value("weight", kind="observed") is None
    assert [value("effect", metric="errors", bound=bound) for bound in ("low", "value", "high")] == [None] * 3


def test_evidence_and_effect_come_from_the_last_pass(telemetry, value, active):
    telemetry.show(KEY, active)
    assert value("evidence", metric="errors", side="against") == 0.25
    assert value("evidence", metric="errors", side="for") == 0.5
    assert value("effect", metric="errors", unit="share", bound="high") == 0.04


def test_the_effect_of_the_user_s_own_metric_has_the_unit_of_its_kind(telemetry, value, active, make):
    of_app = '{app="{{workload}}"}'
    own = (
        {"name": "bad_carts", "total": f"carts{of_app}", "bad": f"bad_carts{of_app}"},
        {"name": "checkout", "histogram": f"checkout_bucket{of_app}"},
    )
    metrics = [metric("errors"), metric("bad_carts"), metric("checkout_p99", effect=1.5)]
    judged = replace(active.judged, verdict=verdict(*metrics))
    telemetry.show(KEY, replace(of_run(active, policy=make.policy(metrics=own)), judged=judged))
    assert value("effect", metric="bad_carts", unit="share", bound="value") == 0.01
    assert value("effect", metric="checkout_p99", unit="ratio", bound="value") == 1.5


def test_each_arm_says_where_the_mesh_counts_it(telemetry, value, active):
    telemetry.reporter = "waypoint"
    telemetry.show(KEY, active)
    arms = {"baseline": "app", "canary": "app-canary"}
    for arm, workload in arms.items():
        assert value("run_arm_info", arm=arm, workload=workload, pods=".*", reporter="waypoint") == 1


def test_the_arms_of_a_rolling_update_are_told_apart_by_their_pods(telemetry, value, active):
    rolling = Rolling(found_seconds=None, pace_seconds=10, old_pods="7d9c")
    for new, pods in (("", "none"), ("5b8f", "5b8f")):
        telemetry.show(KEY, of_run(active, rolling=rolling, label=("pod-template-hash", new)))
        assert value("run_arm_info", arm="baseline", workload="app", pods="7d9c", reporter="destination") == 1
        assert value("run_arm_info", arm="canary", workload="app", pods=pods, reporter="destination") == 1


def test_info_names_the_image_and_its_reason_is_short_and_harmless(telemetry, registry, active):
    telemetry.show(KEY, of_run(active, reason="\x1b[31m" + "x" * 500))
    [family] = [each for each in registry.collect() if each.name == "canary_analyzer_run_info"]
    labels = family.samples[0].labels
    assert (labels["image"], labels["strategy"], labels["verdict"]) == ("app:v2", "canary", "continue")
    assert len(labels["reason"]) == 200
    assert "\x1b" not in labels["reason"]


def test_series_do_not_change_with_every_tick(telemetry, registry, active):
    def labels():
        telemetry.show(KEY, active)
        return {
            (sample.name, *sample.labels.items())
            for family in registry.collect()
            for sample in family.samples
            if sample.labels.get("run")
        }

    before = labels()
    active = replace(active, judged=replace(active.judged, verdict=verdict(metric(reason="other", effect=0.3))))
    assert labels() == before


DEADLINES = {
    "analysing": ({"phase": Phase.ANALYSING}, 3600),
    "after a person has held it": ({"phase": Phase.ANALYSING, "held_seconds": 100.0}, 3700),
    "held by a person": ({"phase": Phase.HOLDING, "held_since": 5.0}, None),
    "without metrics": ({"phase": Phase.HOLDING}, 3600),
    "promoting": ({"phase": Phase.PROMOTING}, None),
    "going back": ({"phase": Phase.ABORTING}, 3600),
}


@pytest.mark.parametrize(("fields", "deadline"), DEADLINES.values(), ids=DEADLINES)
def test_a_deadline_is_there_while_it_can_pass(telemetry, value, active, fields, deadline):
    telemetry.show(KEY, of_run(active, **fields))
    assert value("run_deadline_timestamp_seconds") == deadline


def test_a_run_that_is_over_leaves_only_its_count(telemetry, value, registry, active):
    telemetry.show(KEY, active)
    assert registry.get_sample_value("canary_analyzer_rollouts") == 1
    telemetry.show(KEY, None)
    telemetry.count(of_run(active, phase=Phase.ABORTED, cause=Cause.JUDGED_WORSE).run)
    assert 'run="app-1"' not in generate_latest(registry).decode()
    assert registry.get_sample_value("canary_analyzer_rollouts") == 0
    ended = {"result": "Aborted", "cause": "judged-worse"}
    assert registry.get_sample_value("canary_analyzer_verdicts_total", ended) == 1


def test_reverts_are_a_counter_that_starts_at_zero_with_the_run(telemetry, value, active):
    telemetry.show(KEY, active)
    assert value("foreign_reverts_total") == 0
    telemetry.show(KEY, of_run(active, reverts=2))
    assert value("foreign_reverts_total") == 2


def test_the_service_s_own_health_is_counted_from_zero(telemetry, registry):
    health = telemetry.health
    assert registry.get_sample_value("canary_analyzer_defects_total") == 0
    assert registry.get_sample_value("canary_analyzer_queries_total", {"result": "error"}) == 0
    health.queried(0.1, False)
    health.requested("get", 0)
    health.late(-0.001)
    health.lost_lease()
    assert registry.get_sample_value("canary_analyzer_queries_total", {"result": "error"}) == 1
    assert registry.get_sample_value("canary_analyzer_api_requests_total", {"verb": "get", "code": "0"}) == 1
    assert registry.get_sample_value("canary_analyzer_tick_lag_seconds_sum") == 0
    assert registry.get_sample_value("canary_analyzer_leases_lost_total") == 1
    assert registry.get_sample_value("process_resident_memory_bytes") > 0


def test_a_scrape_of_a_thousand_runs_computes_no_verdict(telemetry, registry, active):
    """Its time is printed, not asserted: machines differ. Cost per run is that of its forty series."""
    metrics = [metric(name) for name in ("errors", "latency_p50", "latency_p90", "latency_p99")]
    judged = replace(active.judged, verdict=verdict(*metrics))
    for number in range(1000):
        telemetry.show(("default", f"app-{number}"), replace(active, judged=judged))
    began = time.perf_counter()
    size = len(generate_latest(registry))
    print(f"1,000 runs: {size / 1e6:.1f} MB in {time.perf_counter() - began:.2f} s")
