"""The checked-in dashboards, as Grafana reads them; tests/e2e/test_dashboards.py asks their queries of a Prometheus."""

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry

from canary_analyzer.service.telemetry import Telemetry
from dashboards import queries
from dashboards.__main__ import rendered

HERE = Path(__file__).parents[2] / "dashboards"
PAGES = {path.name: json.loads(path.read_text()) for path in sorted(HERE.glob("*.json"))}
CURRENT = {"bargauge", "stat", "state-timeline", "table", "timeseries"}
"""Panel types of Grafana 11 and 12 that need no plugin; `graph`, `singlestat` and `table-old` are gone."""
OF_ARMS = ("baseline_workload", "baseline_pods", "canary_workload", "canary_pods", "canary_reporter")
VALUES = dict.fromkeys(("namespace", "deployment", "run", *OF_ARMS), "x")
PROMTOOL = Path(sys.executable).with_name("promtool")

each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def panels(page):
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def test_the_checked_in_files_are_what_the_python_makes():
    assert rendered() == {name: (HERE / name).read_text() for name in PAGES}, "run `make dashboards`"


@each_page
def test_it_is_what_the_sdk_s_types_say_a_dashboard_is(page):
    assert Dashboard.from_json(page).title == page["title"]
    assert page["schemaVersion"] >= 39
    assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"])


@each_page
def test_panels_are_of_current_types_and_say_what_they_show(page):
    for panel in panels(page):
        assert panel["type"] in CURRENT, panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]


@each_page
def test_each_query_of_a_panel_has_a_letter_of_its_own(page):
    for panel in panels(page):
        letters = [target["refId"] for target in panel["targets"]]
        assert all(letters), panel["title"]
        assert len(set(letters)) == len(letters), panel["title"]


@each_page
def test_no_panel_covers_another(page):
    for one, other in combinations((panel["gridPos"] for panel in page["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_overview_run_and_status_page_lead_to_each_other():
    overview, rollout = PAGES["overview.json"], PAGES["rollout.json"]
    assert "${status_page}/" in [link["url"] for link in overview["links"]]
    to_others = [link["url"] for link in rollout["links"]]
    assert to_others[0] == "${status_page}/runs/${namespace}/${run}"
    assert to_others[1].startswith(f"/d/{overview['uid']}?")
    [table] = [panel for panel in panels(overview) if panel["type"] == "table"]
    text = json.dumps(table["fieldConfig"]["overrides"])
    assert f"/d/{rollout['uid']}?var-namespace=${{__data.fields.Namespace}}" in text
    assert "${status_page}/runs/" in text


@each_page
def test_variables_that_queries_use_are_there(page):
    names = {variable["name"] for variable in page["templating"]["list"]}
    for text in re.findall(r"\$\{?(\w+)", json.dumps([page["panels"], page["annotations"], page["links"]])):
        assert text in names or text.startswith("__"), text


def asked():
    """Yield all PromQL of dashboards and rules."""
    for page in PAGES.values():
        for kind in (queries.of_panels, queries.of_annotations, queries.of_variables):
            yield from kind(page, VALUES)
    for group in rules()["groups"]:
        for rule in group["rules"]:
            yield queries.Query(asked_by=rule.get("alert") or rule["record"], expression=rule["expr"])


def rules():
    return yaml.safe_load((HERE / "rules.yaml").read_text())


def test_all_promql_parses(tmp_path):
    group = [{"record": f"q{number}", "expr": query.expression} for number, query in enumerate(asked())]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": group}]}))
    promtool("check", "rules", tmp_path / "all.yaml")


def test_only_metrics_that_exist_are_asked_for():
    """A name that telemetry has lost, or never had, would make a panel that is empty for ever."""
    registry = CollectorRegistry()
    Telemetry(registry)
    ours = {family.name for family in registry.collect()} | {"canary_analyzer_config_reload_success"}
    for query in asked():
        for name in re.findall(r"\bcanary_analyzer_\w+", query.expression):
            assert re.sub(r"_(total|bucket)$", "", name) in ours, query


def test_rules_are_valid_and_each_alert_fires_on_its_condition_and_only_then():
    promtool("check", "rules", HERE / "rules.yaml")
    promtool("test", "rules", HERE / "rules_test.yaml")
    alerts = {rule["alert"] for group in rules()["groups"] for rule in group["rules"] if "alert" in rule}
    tests = yaml.safe_load((HERE / "rules_test.yaml").read_text())["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    assert {check["alertname"] for check in checks if check.get("exp_alerts")} == alerts
    assert {check["alertname"] for check in checks if not check.get("exp_alerts")} == alerts


def test_each_alert_says_what_happened_and_what_to_do():
    for group in rules()["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]
                assert rule["labels"]["severity"] in ("info", "warning", "critical"), rule["alert"]


def promtool(*arguments):
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=60, cwd=HERE)
    assert done.returncode == 0, done.stdout + done.stderr
