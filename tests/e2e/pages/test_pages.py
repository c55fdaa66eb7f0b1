"""The status page in a real browser, over records of runs that a judge has judged."""

import time
from dataclasses import replace

import pytest
import requests
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster import records
from canary_analyzer.report.links import LinkTemplate
from canary_analyzer.report.page import Setting, run_page
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.service import http
from canary_analyzer.service.archive import Archive
from canary_analyzer.service.pages import Pages

pytestmark = pytest.mark.e2e

HOSTILE = '"><script>document.title="owned"</script><img src=x onerror=alert(1)>{{7*7}}${7*7}\u202e%s'
LINKS = (
    LinkTemplate(title="Grafana", url="https://grafana.example/d/canary?var-run={run}&from={since_ms}&to={until_ms}"),
)


@pytest.fixture
def site(cluster):
    """The address of the status page of a cluster."""
    archive = Archive(cluster, ("",), lambda: (), time.time)
    pages = Pages(archive, LINKS, time.time)
    server = http.serve(
        "127.0.0.1", 0, http.Sources(registry=CollectorRegistry(), ready=lambda: True, trouble=str, pages=pages)
    )
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def busy(cluster, runs):
    """A cluster with a run under way, one held, and two that have ended."""
    runs.keep(cluster, *runs.played(runs.begun("checkout-7")))
    held, story = runs.played(
        runs.begun("search-3", phase=Phase.HOLDING, reason="holding at 25 %: the annotation hold is set")
    )
    runs.keep(cluster, held.model_copy(update={"weight": 25, "held_since": runs.began + 200}), story)
    runs.keep(cluster, *runs.aborted("checkout-6"))
    done, story = runs.played(runs.begun("checkout-5", phase=Phase.SUCCEEDED, weight=0, verdict="HEALTHY"))
    runs.keep(cluster, done.model_copy(update={"reason": "every metric is within tolerance"}), story)


def test_the_list_shows_what_is_under_way_and_what_has_ended(site, busy, visit, shoot):
    page = visit(site).page
    assert page.get_by_role("heading", name="Under way").is_visible()
    active, history = (page.get_by_role("region", name=name) for name in ("Under way", "History"))
    assert active.get_by_role("link").all_inner_texts() == ["checkout-7", "search-3"]
    assert sorted(history.get_by_role("link").all_inner_texts()) == ["checkout-5", "checkout-6"]
    page.get_by_role("link", name="checkout-6").click()
    page.get_by_role("heading", name="checkout-6").wait_for()
    shoot(site, "list")


@pytest.mark.parametrize("name", ["checkout-7", "checkout-6", "search-3"])
def test_the_page_of_a_run_has_its_pictures_and_says_why_and_what_now(site, busy, visit, shoot, name):
    tab = visit(f"{site}/runs/default/{name}")
    assert tab.page.get_by_text("What now:").is_visible()
    assert tab.page.get_by_role("img").count() >= 5
    assert tab.serious() == []
    shoot(f"{site}/runs/default/{name}", f"run-{name}")


@pytest.mark.parametrize("path", ["/", "/runs/default/checkout-6"], ids=["list", "run"])
@pytest.mark.parametrize("width", [1280, 390], ids=["wide", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_read_it(site, busy, visit, path, width, dark):
    assert visit(site + path, dark=dark, width=width).serious() == []


@pytest.fixture
def hostile(cluster, runs):
    """A run whose every text that others may write is an attack; names are what Kubernetes lets them be."""
    images = {"app": HOSTILE}
    run, story = runs.aborted("a.b-c-1")
    moments = tuple(moment.model_copy(update={"text": HOSTILE}) for moment in run.timeline)
    findings = tuple(each.model_copy(update={"about": HOSTILE, "text": HOSTILE}) for each in story.findings)
    texts = {"images": images, "stable_images": images, "trigger": HOSTILE, "reason": HOSTILE, "verdict": HOSTILE}
    told = {"metrics": (HOSTILE, *story.metrics[1:]), "reasons": (HOSTILE,) * len(story.metrics), "findings": findings}
    runs.keep(cluster, run.model_copy(update={**texts, "timeline": moments}), story.model_copy(update=told))


@pytest.mark.parametrize("path", ["/", "/runs/default/a.b-c-1"])
def test_what_others_wrote_is_shown_as_they_wrote_it_and_does_nothing(site, hostile, visit, path):
    tab = visit(site + path)
    assert tab.page.get_by_text(HOSTILE[:30]).count() > 0
    assert "owned" not in tab.page.title()
    assert tab.page.locator("main script, main img").count() == 0


def test_a_report_stands_alone_without_script_or_request(runs, visit, tmp_path):
    run, story = runs.aborted()
    (tmp_path / "report.html").write_text(run_page(run, story, Setting(as_of=runs.began)))
    tab = visit(f"file://{tmp_path}/report.html")
    assert tab.asked == [f"file://{tmp_path}/report.html"]
    assert tab.page.locator("script").count() == 0
    assert tab.serious() == []


def test_the_keyboard_reaches_everything_and_a_refresh_takes_nothing_away(site, busy, cluster, runs, visit):
    page = visit(f"{site}/runs/default/checkout-7").page
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    details = page.locator("details").first
    assert details.get_attribute("open") is not None
    record = records.load(cluster, "default", "checkout-7")
    records.save(cluster, replace(record, run=record.run.model_copy(update={"reason": "news"})))
    page.get_by_text("news").wait_for()
    assert details.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_run_that_is_not_there_is_not_found(site, busy, visit):
    answer = requests.get(f"{site}/runs/default/nobody-1")
    assert (answer.status_code, "<" in answer.text) == (404, False)
