"""The dashboard of one run: both arms side by side, the weight, the evidence, the verdict and why."""

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.models import dashboard, units

from dashboards import parts
from dashboards.parts import RUN

ARMS = ("baseline", "canary")


def build() -> dashboard.Dashboard:
    """Return the dashboard."""
    page = (
        dashboards.Dashboard("Canary rollout")
        .uid("canary-analyzer-rollout")
        .description("One run of canary-analyzer: baseline and canary side by side, the evidence, the verdict.")
        .tags(["canary-analyzer"])
        .time("now-30m", "now")
        .refresh("5s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(parts.link("Status page of this run", "${status_page}/runs/${namespace}/${run}"))
        .link(parts.link("All rollouts", "/d/canary-analyzer-overview?${datasource:queryparam}"))
    )
    for variable in _variables():
        page = page.with_variable(variable)
    for annotation in _annotations():
        page = page.annotation(annotation)
    for panel in (*_verdict(), _weight(), _counted(), *_evidence(), *_effects()):
        page = page.with_panel(panel)
    page = page.with_row(dashboards.Row("Requests, errors, duration: baseline and canary"))
    for panel in _red():
        page = page.with_panel(panel)
    return page.build()


def _variables() -> list[parts.Variable]:
    info = "canary_analyzer_run_info"
    return [
        parts.data_source(),
        parts.status_page(),
        parts.variable("namespace", "Namespace", f"label_values({info}, namespace)"),
        parts.variable("deployment", "Deployment", f'label_values({info}{{namespace="$namespace"}}, deployment)'),
        parts.variable(
            "run", "Run", f'label_values({info}{{namespace="$namespace",deployment="$deployment"}}, run)'
        ).sort(dashboard.VariableSort.ALPHABETICAL_DESC),
        *(_of_arm(arm, label) for arm in ARMS for label in ("workload", "pods")),
        _of_arm("canary", "reporter"),
    ]


def _of_arm(arm: str, label: str) -> parts.Variable:
    """Return where the mesh's metrics of an arm are; old and new pods of a rolling update share a workload."""
    selector = f'namespace="$namespace",deployment="$deployment",run="$run",arm="{arm}"'
    values = f"label_values(canary_analyzer_run_arm_info{{{selector}}}, {label})"
    return parts.variable(f"{arm}_{label}", f"{arm} {label}", values).hide(dashboard.VariableHide.HIDE_VARIABLE)


def _annotations() -> list[dashboards.AnnotationQuery]:
    weight = f'canary_analyzer_weight{{{RUN},kind="wanted"}}'
    decided = f'canary_analyzer_rollout_phase{{{RUN},phase=~"Promoting|Aborting"}}'
    return [
        parts.mark("Steps", f"{weight} != {weight} offset 1m", "blue"),
        parts.mark("Verdicts", f"{decided} unless {decided} offset 1m", "red"),
    ]


def _verdict() -> list[parts.Panel]:
    info = f"canary_analyzer_run_info{{{RUN}}}"
    return [
        parts.words("Phase", "What the run is doing.", f"canary_analyzer_rollout_phase{{{RUN}}}", "phase").span(4),
        parts.words("Verdict", "The judge's last word.", info, "verdict").span(4),
        parts.number(
            "Goes back in",
            "Without a verdict until then, traffic goes back; no figure while it waits for a person, or has passed.",
            f"canary_analyzer_run_deadline_timestamp_seconds{{{RUN}}} - time()",
            units.DurationSeconds,
        ).no_value("-"),
        parts.words("Image", "What is on trial.", info, "image").span(12),
        parts.words("Reason", "Why it is where it is.", info, "reason").span(24),
    ]


def _weight() -> parts.Panel:
    weight = f'canary_analyzer_weight{{{RUN},kind="%s"}}'
    panel = parts.lines(
        "Weight: wanted, in the route, observed",
        "Observed is the canary's share of the requests that Prometheus saw.",
        {"wanted": weight % "wanted", "in the route": weight % "route", "observed": weight % "observed"},
        units.Percent,
    )
    return parts.steps_of(panel)


def _counted() -> parts.Panel:
    return parts.lines(
        "What the verdict rests on",
        "Requests of both arms that have counted so far, and those of them that failed.",
        {
            "{{arm}}: requests": f"canary_analyzer_requests{{{RUN}}}",
            "{{arm}}: errors": f"canary_analyzer_errors{{{RUN}}}",
        },
    )


def _evidence() -> list[parts.Panel]:
    against = f'canary_analyzer_evidence{{{RUN},side="against"}}'
    favour = f'canary_analyzer_evidence{{{RUN},side="for"}}'
    return [
        parts.with_threshold(
            parts.lines("Evidence against the canary", "At 1 the run is aborted.", {"{{metric}}": against}), 1
        ),
        parts.with_threshold(
            parts.lines("Evidence for the canary", "At 1 the metric is shown healthy.", {"{{metric}}": favour}), 1
        ),
        parts.bars("Evidence against, now", "1 aborts.", {"{{metric}}": against}),
        parts.bars("Evidence for, now", "1 shows the metric healthy.", {"{{metric}}": favour}),
    ]


def _effects() -> list[parts.Panel]:
    return [
        parts.lines(
            "Error rates: canary less baseline",
            "Of errors and of your own shares, each with its 95 % interval, valid at all times together; 0 is equal.",
            _effect("share"),
            units.PercentUnit,
        ),
        parts.lines(
            "Times: canary over baseline",
            "Of each quantile of latency and of your own histograms, with its 95 % interval; 1 is equal.",
            _effect("ratio"),
        ),
    ]


def _effect(unit: str) -> parts.Targets:
    effect = f'canary_analyzer_effect{{{RUN},unit="{unit}",bound="%s"}}'
    bounds = {"": "value", " at least": "low", " at most": "high"}
    return {"{{metric}}" + words: effect % bound for words, bound in bounds.items()}


def _red() -> list[parts.Panel]:
    return [
        parts.lines(
            "Requests",
            "Per second, as the mesh counts them.",
            {arm: _rate(arm) for arm in ARMS},
            units.RequestsPerSecond,
        ),
        parts.lines(
            "Errors",
            "Share of answers 5xx, or none though the caller was still there; of Linkerd's, those it calls failures.",
            {arm: _errors(arm) for arm in ARMS},
            units.PercentUnit,
        ),
        parts.lines(
            "Duration, median",
            "From the mesh's histogram.",
            {arm: _quantile(0.5, arm) for arm in ARMS},
            units.Milliseconds,
        ),
        parts.lines(
            "Duration, 99th percentile",
            "From the mesh's histogram.",
            {arm: _quantile(0.99, arm) for arm in ARMS},
            units.Milliseconds,
        ),
    ]


def _rate(arm: str) -> str:
    return _either(f"sum({_istio('requests_total', arm)})", f"sum({_linkerd('response_total', arm)})")


def _errors(arm: str) -> str:
    istio = _istio("requests_total", arm, ',response_code=~"5..|0",response_flags!="DC"')
    linkerd = _linkerd("response_total", arm, ',classification="failure"')
    return f"({_either(f'sum({istio})', f'sum({linkerd})')} or vector(0)) / ({_rate(arm)})"


def _quantile(rank: float, arm: str) -> str:
    istio, linkerd = (
        f"sum by (le) ({buckets})"
        for buckets in (
            _istio("request_duration_milliseconds_bucket", arm),
            _linkerd("response_latency_ms_bucket", arm),
        )
    )
    return f"histogram_quantile({rank}, {_either(istio, linkerd)})"


def _either(istio: str, linkerd: str) -> str:
    """Return what asks for Linkerd's series where there are none of Istio's."""
    return f"{istio} or {linkerd}"


def _istio(name: str, arm: str, also: str = "") -> str:
    selector = (
        f'reporter="$canary_reporter",destination_workload_namespace="$namespace",'
        f'destination_workload="${arm}_workload",pod_template_hash=~"${arm}_pods"{also}'
    )
    return f"rate(istio_{name}{{{selector}}}[$__rate_interval])"


def _linkerd(name: str, arm: str, also: str = "") -> str:
    selector = (
        f'direction="outbound",dst_namespace="$namespace",dst_deployment="${arm}_workload",'
        f'dst_pod_template_hash=~"${arm}_pods"{also}'
    )
    return f"rate({name}{{{selector}}}[$__rate_interval])"
