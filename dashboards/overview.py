"""The dashboard of all rollouts: what is under way, how runs ended, and whether the service itself is well."""

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.models import dashboard, units

from dashboards import parts

PHASE_AND_WEIGHT = """
sum by (namespace, deployment, run, strategy, image, phase, reason) (
  canary_analyzer_run_info * on (namespace, deployment, run) group_left (phase) canary_analyzer_rollout_phase
)
"""


def build() -> dashboard.Dashboard:
    """Return the dashboard."""
    page = (
        dashboards.Dashboard("Canary rollouts")
        .uid("canary-analyzer-overview")
        .description("Every canary that canary-analyzer runs, and the health of canary-analyzer itself.")
        .tags(["canary-analyzer"])
        .time("now-3h", "now")
        .refresh("10s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(parts.data_source())
        .with_variable(parts.status_page())
        .link(parts.link("Status page", "${status_page}/"))
    )
    for panel in (*_figures(), _under_way(), *_over_time()):
        page = page.with_panel(panel)
    page = page.with_row(dashboards.Row("The service's own health"))
    for panel in _health():
        page = page.with_panel(panel)
    return page.build()


def _figures() -> list[parts.Panel]:
    held = 'canary_analyzer_rollout_phase{phase=~"Holding|AwaitingApproval"}'
    ended = 'round(sum(increase(canary_analyzer_verdicts_total{{result="{}"}}[$__range])))'
    return [
        parts.number("Under way", "Rollouts that have not ended.", "count(canary_analyzer_rollout_phase) or vector(0)"),
        parts.number("Waiting", "Held, or waiting for approval.", f"count({held}) or vector(0)"),
        parts.number("Succeeded", "Promoted in the time range.", ended.format("Succeeded")),
        parts.number("Aborted", "Taken back in the time range.", ended.format("Aborted")),
        parts.alarming(
            parts.number(
                "Overdue",
                "Runs past their deadline: an alarm, each wait should have ended.",
                "count(canary_analyzer_run_deadline_timestamp_seconds < time()) or vector(0)",
            ),
            above=1,
        ),
        parts.alarming(
            parts.number(
                "Failed queries",
                "Share of Prometheus queries that failed, last 5 minutes.",
                'sum(rate(canary_analyzer_queries_total{result="error"}[5m]))'
                " / sum(rate(canary_analyzer_queries_total[5m]))",
                units.PercentUnit,
            ),
            above=0.05,
        ),
    ]


def _under_way() -> parts.Panel:
    columns = {
        "namespace": "Namespace",
        "deployment": "Deployment",
        "run": "Run",
        "strategy": "Strategy",
        "image": "Image",
        "phase": "Phase",
        "reason": "Reason",
    }
    panel = parts.rows_of("Rollouts under way", "One line per run, with its last reason.", PHASE_AND_WEIGHT, columns)
    run = (
        "/d/canary-analyzer-rollout?var-namespace=${__data.fields.Namespace}"
        "&var-deployment=${__data.fields.Deployment}&var-run=${__value.raw}&${datasource:queryparam}"
    )
    links = [{"title": "Open the run", "url": run}]
    return panel.override_by_name("Run", [dashboard.DynamicConfigValue(id_val="links", value=links)])


def _over_time() -> list[parts.Panel]:
    return [
        parts.phases("Phases", "The phase of each run.", parts.phase_code(""), "{{namespace}}/{{run}}"),
        parts.steps_of(
            parts.lines(
                "Canary weights",
                "Weight that each run wants its canary to have.",
                {"{{namespace}}/{{run}}": 'canary_analyzer_weight{kind="wanted"}'},
                units.Percent,
            )
        ),
    ]


def _health() -> list[parts.Panel]:
    return [
        parts.lines(
            "Lag of ticks",
            "How late passes begin; more than a tick is too late.",
            {
                "median": _lag(0.5),
                "p99": _lag(0.99),
            },
            units.Seconds,
        ),
        parts.lines(
            "Prometheus queries",
            "Queries per second by result; their number does not grow with the rollouts.",
            {"{{result}}": "sum by (result) (rate(canary_analyzer_queries_total[$__rate_interval]))"},
            units.RequestsPerSecond,
        ),
        parts.lines(
            "Kubernetes API requests",
            "Requests per second by verb and answer.",
            {"{{verb}} {{code}}": "sum by (verb, code) (rate(canary_analyzer_api_requests_total[$__rate_interval]))"},
            units.RequestsPerSecond,
        ),
        parts.lines(
            "Trouble",
            "Defects of ours, weights that others put back, Leases lost: each should stay at 0.",
            {
                "defects": "sum(increase(canary_analyzer_defects_total[5m]))",
                "foreign reverts": "sum(increase(canary_analyzer_foreign_reverts_total[5m]))",
                "leases lost": "sum(increase(canary_analyzer_leases_lost_total[5m]))",
            },
        ),
        parts.lines(
            "Rollouts by replica",
            "How the live replicas share the rollouts out.",
            {"{{pod}}": "sum by (pod, instance) (canary_analyzer_rollouts)"},
        ),
        parts.lines(
            "Memory",
            "Resident memory of each replica.",
            {"{{instance}}": "process_resident_memory_bytes and on (instance) canary_analyzer_rollouts"},
            units.BytesIEC,
        ),
    ]


def _lag(quantile: float) -> str:
    return (
        f"histogram_quantile({quantile}, sum by (le) (rate(canary_analyzer_tick_lag_seconds_bucket[$__rate_interval])))"
    )
