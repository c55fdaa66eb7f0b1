"""What both dashboards are made of: queries, panels, variables, links."""

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as styles
from grafana_foundation_sdk.models import dashboard, units
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

ALL = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")

RUN = 'namespace="$namespace",deployment="$deployment",run="$run"'
"""Selects the series of the run that is looked at."""

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"
PHASES = {
    "Pending": GREY,
    "Starting": BLUE,
    "Analysing": BLUE,
    "Holding": YELLOW,
    "AwaitingApproval": YELLOW,
    "Promoting": GREEN,
    "Aborting": RED,
}

LAST = common.ReduceDataOptions().calcs(["lastNotNull"])
"""Of the values in sight, the newest."""

Panel = Builder[dashboard.Panel]
Variable = Builder[dashboard.VariableModel]
Targets = dict[str, str]
"""PromQL by the legend of its series."""


def query(expression: str, legend: str = "__auto") -> prometheus.Dataquery:
    """Return a query over the time range of the dashboard."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).range()


def now(expression: str, legend: str = "__auto") -> prometheus.Dataquery:
    """Return a query of the present value."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).instant()


def lines(title: str, about: str, targets: Targets, unit: str = units.Short) -> timeseries.Panel:
    """Return curves over time, the legend below with the last values."""
    legend = (
        common.VizLegendOptions()
        .display_mode(styles.LegendDisplayMode.TABLE)
        .placement(styles.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull"])
    )
    return (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(styles.TooltipDisplayMode.MULTI))
        .targets([query(expression, legend) for legend, expression in targets.items()])
        .height(8)
        .span(12)
    )


def steps_of(panel: timeseries.Panel) -> timeseries.Panel:
    """Draw the curves as steps: a weight changes at once."""
    return panel.line_interpolation(styles.LineInterpolation.STEP_AFTER).min(0).max(100)


def with_threshold(panel: timeseries.Panel, value: float) -> timeseries.Panel:
    """Draw a line where the verdict falls."""
    line = [dashboard.Threshold(color="transparent", value=None), dashboard.Threshold(color=RED, value=value)]
    style = common.GraphThresholdsStyleConfig().mode(styles.GraphTresholdsStyleMode.LINE)
    return panel.thresholds(levels(line)).thresholds_style(style)


def number(title: str, about: str, expression: str, unit: str = units.Short) -> stat.Panel:
    """Return one figure, as it is now."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .targets([now(expression)])
        .reduce_options(LAST)
        .graph_mode(styles.BigValueGraphMode.NONE)
        .no_value("0")
        .height(4)
        .span(4)
    )


def alarming(panel: stat.Panel, above: float) -> stat.Panel:
    """Colour a figure red above a limit."""
    return panel.thresholds(levels([_colour(GREEN, None), _colour(RED, above)]))


def words(title: str, about: str, expression: str, label: str) -> stat.Panel:
    """Return a text that a label carries."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .targets([now(expression, f"{{{{{label}}}}}")])
        .reduce_options(LAST)
        .text_mode(styles.BigValueTextMode.NAME)
        .text(common.VizTextDisplayOptions().title_size(18))
        .color_mode(styles.BigValueColorMode.NONE)
        .graph_mode(styles.BigValueGraphMode.NONE)
        .no_value("-")
        .height(4)
    )


def bars(title: str, about: str, targets: Targets) -> bargauge.Panel:
    """Return one bar per series from 0 to 1, the threshold at its end."""
    return (
        bargauge.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .orientation(styles.VizOrientation.HORIZONTAL)
        .display_mode(styles.BarGaugeDisplayMode.BASIC)
        .min(0)
        .max(1)
        .decimals(2)
        .thresholds(levels([_colour(GREEN, None), _colour(YELLOW, 0.5), _colour(RED, 1)]))
        .reduce_options(LAST)
        .targets([now(expression, legend) for legend, expression in targets.items()])
        .height(8)
        .span(6)
    )


def counts(title: str, about: str, expression: str, legend: str) -> bargauge.Panel:
    """Return one bar per series, as long as its count."""
    return (
        bargauge.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .orientation(styles.VizOrientation.HORIZONTAL)
        .display_mode(styles.BarGaugeDisplayMode.BASIC)
        .min(0)
        .decimals(0)
        .thresholds(levels([_colour(BLUE, None)]))
        .reduce_options(LAST)
        .targets([now(expression, legend)])
        .height(8)
        .span(12)
    )


def phases(title: str, about: str, expression: str, legend: str) -> statetimeline.Panel:
    """Return the phase of each run over time, as coloured bars."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .targets([query(expression, legend)])
        .mappings([_code_of(phase, colour, i) for i, (phase, colour) in enumerate(PHASES.items())])
        .show_value(styles.VisibilityMode.AUTO)
        .merge_values(True)
        .height(8)
        .span(12)
    )


def phase_code(selector: str) -> str:
    """Return PromQL that numbers the phase of each run as `phases` names it; a state timeline draws one number."""
    codes = (
        f'(0 * canary_analyzer_rollout_phase{{{selector}{"," if selector else ""}phase="{phase}"}} + {i})'
        for i, phase in enumerate(PHASES)
    )
    return "max by (namespace, deployment, run) (" + " or ".join(codes) + ")"


def rows_of(title: str, about: str, expression: str, columns: dict[str, str]) -> table.Panel:
    """Return a table of the present series: their labels and `Value`, under the names that `columns` gives them."""
    organise = {
        "excludeByName": {field: True for field in ("Time", "Value") if field not in columns},
        "indexByName": {label: i for i, label in enumerate(columns)},
        "renameByName": columns,
    }
    return (
        table.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .targets([now(expression).format(PromQueryFormat.TABLE)])
        .transformations([dashboard.DataTransformerConfig(id_val="organize", options=organise)])
        .no_value("no canary is under way")
        .height(9)
        .span(24)
    )


def levels(steps: list[dashboard.Threshold]) -> dashboards.ThresholdsConfig:
    """Return absolute thresholds."""
    return dashboards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def variable(name: str, label: str, values: str) -> dashboards.QueryVariable:
    """Return a variable to choose from what a PromQL variable query finds."""
    return (
        dashboards.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(values)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


def namespaces(values: str) -> dashboards.QueryVariable:
    """Return the choice of some namespaces, or all."""
    return variable("namespace", "Namespace", values).multi(True).include_all(True).all_value(".*").current(ALL)


def data_source() -> dashboards.DatasourceVariable:
    """Return the choice of the Prometheus that holds the mesh's and our own metrics."""
    return dashboards.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def status_page() -> dashboards.TextBoxVariable:
    """Return where the service's status page is reached."""
    return dashboards.TextBoxVariable("status_page").label("Status page").default_value("http://localhost:8080")


def link(title: str, url: str) -> dashboards.DashboardLink:
    """Return a link in the dashboard's head."""
    return (
        dashboards.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .url(url)
        .icon("external link")
        .target_blank(True)
    )


def mark(name: str, expression: str, colour: str) -> dashboards.AnnotationQuery:
    """Return a vertical line wherever an expression has a value."""
    return dashboards.AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(colour).expr(expression)


def _colour(colour: str, above: float | None) -> dashboard.Threshold:
    return dashboard.Threshold(color=colour, value=above)


def _code_of(phase: str, colour: str, code: int) -> dashboard.ValueMap:
    return dashboard.ValueMap(options={str(code): dashboard.ValueMappingResult(text=phase, color=colour, index=code)})
