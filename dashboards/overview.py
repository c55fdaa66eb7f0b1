"""The dashboard of all rollouts: what is under way, how runs ended, and whether the service itself is well."""

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.models import dashboard, units

from dashboards import parts

OURS = 'namespace=~"$namespace"'
"""Selects the series of the runs in the chosen namespaces."""

PHASE_AND_WEIGHT = f"""
max by (namespace, deployment, run, strategy, image, verdict, phase, reason) (
  canary_analyzer_run_info{{{OURS}}}
  * on (namespace, deployment, run) group_left (phase)
    max by (namespace, deployment, run, phase) (canary_analyzer_rollout_phase)
  * on (namespace, deployment, run) group_left ()
    max by (namespace, deployment, run) (canary_analyzer_weight{{kind="wanted"}})
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
        .with_variable(parts.namespaces("label_values(canary_analyzer_run_info, namespace)"))
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
    runs = f"canary_analyzer_rollout_phase{{{OURS}}}"
    held = f'canary_analyzer_rollout_phase{{{OURS},phase=~"Holding|AwaitingApproval"}}'
    ended = 'round(sum(increase(canary_analyzer_verdicts_total{{result="{}"}}[$__range])))'
    figures = [
        parts.number("Replicas", "Processes of canary-analyzer that are scraped.", "count(canary_analyzer_rollouts)"),
        parts.number("Under way", "Rollouts that have not ended.", f"count({runs}) or vector(0)"),
        parts.number("Waiting", "Held, or waiting for approval.", f"count({held}) or vector(0)"),
        parts.number("Succeeded", "Promoted in the time range, in all namespaces.", ended.format("Succeeded")),
        parts.number("Aborted", "Taken back in the time range, in all namespaces.", ended.format("Aborted")),
        parts.number("Refused", "Asked for in vain in the time range, in all namespaces.", ended.format("Refused")),
        parts.alarming(
            parts.number(
                "Overdue",
                "Runs past their deadline: an alarm, each wait should have ended.",
                f"count(canary_analyzer_run_deadline_timestamp_seconds{{{OURS}}} < time()) or vector(0)",
            ),
            above=1,
        ),
        parts.alarming(
            parts.number(
                "Failed queries",
                "Share of Prometheus queries that failed, last 5 minutes.",
                'sum(rate(canary_analyzer_queries_total{result="error"}[5m]))'
                " / (sum(rate(canary_analyzer_queries_total[5m])) > 0) or vector(0)",
                units.PercentUnit,
            ),
            above=0.05,
        ),
    ]
    return [figure.span(3) for figure in figures]


def _under_way() -> parts.Panel:
    columns = {
        "namespace": "Namespace",
        "deployment": "Deployment",
        "run": "Run",
        "strategy": "Strategy",
        "image": "Image",
        "phase": "Phase",
        "Value": "Weight",
        "verdict": "Verdict",
        "reason": "Reason",
    }
    about = "One line per run: where it stands, and why."
    panel = parts.rows_of("Rollouts under way", about, PHASE_AND_WEIGHT, columns)
    run = (
        "/d/canary-analyzer-rollout?var-namespace=${__data.fields.Namespace}"
        "&var-deployment=${__data.fields.Deployment}&var-run=${__value.raw}&${datasource:queryparam}&${status_page:queryparam}&${__url_time_range}"
    )
    page = "${status_page}/runs/${__data.fields.Namespace}/${__value.raw}"
    links = [{"title": "Open the run", "url": run}, {"title": "Status page", "url": page, "targetBlank": True}]
    wrapped = {"type": "auto", "wrapText": True}
    return (
        panel.override_by_name("Run", [dashboard.DynamicConfigValue(id_val="links", value=links)])
        .override_by_name("Weight", [dashboard.DynamicConfigValue(id_val="unit", value=units.Percent)])
        .override_by_name("Reason", [dashboard.DynamicConfigValue(id_val="custom.cellOptions", value=wrapped)])
    )


def _over_time() -> list[parts.Panel]:
    return [
        parts.phases("Phases", "The phase of each run.", parts.phase_code(OURS), "{{namespace}}/{{run}}"),
        parts.steps_of(
            parts.lines(
                "Canary weights",
                "Weight that each run wants its canary to have.",
                {"{{namespace}}/{{run}}": f'canary_analyzer_weight{{{OURS},kind="wanted"}}'},
                units.Percent,
            )
        ),
        parts.counts(
            "What sent runs back",
            "Aborted runs in the time range by cause, in all namespaces.",
            'sort_desc(round(sum by (cause) (increase(canary_analyzer_verdicts_total{result="Aborted"}[$__range]))))',
            "{{cause}}",
        ),
        parts.lines(
            "Evidence against canaries",
            "The metric that speaks most against each; at 1 the run is aborted.",
            {
                "{{namespace}}/{{run}}": "max by (namespace, deployment, run) "
                f'(canary_analyzer_evidence{{{OURS},side="against"}})'
            },
        ),
    ]


def _health() -> list[parts.Panel]:
    return [
        parts.lines(
            "Lag of ticks",
            "How late passes begin, and for how long one is due that is not done; more than a tick is too late.",
            {
                "median": _quantile(0.5, "tick_lag_seconds"),
                "p99": _quantile(0.99, "tick_lag_seconds"),
                "not done": "max(canary_analyzer_pass_overdue_seconds)",
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
            "Notifications",
            "Tries per second by receiver and result; what is given up was told nobody.",
            {
                "{{receiver}} {{result}}": "sum by (receiver, result) "
                "(rate(canary_analyzer_notifications_total[$__rate_interval]))"
            },
            units.RequestsPerSecond,
        ),
        parts.lines(
            "Time of a Prometheus query",
            "How long Prometheus takes to answer.",
            {"median": _quantile(0.5, "query_seconds"), "p99": _quantile(0.99, "query_seconds")},
            units.Seconds,
        ),
        parts.lines(
            "Rollouts by replica",
            "How the live replicas share the rollouts out.",
            {"{{instance}}": "sum by (instance) (canary_analyzer_rollouts)"},
        ),
        parts.lines(
            "Memory",
            "Resident memory of each replica.",
            {"{{instance}}": "process_resident_memory_bytes and on (instance) canary_analyzer_rollouts"},
            units.BytesIEC,
        ),
    ]


def _quantile(rank: float, histogram: str) -> str:
    buckets = f"rate(canary_analyzer_{histogram}_bucket[$__rate_interval])"
    return f"histogram_quantile({rank}, sum by (le) ({buckets}))"
