"""The status page in a real browser, over records of runs that a judge has judged."""

import time

import pytest
from prometheus_client import CollectorRegistry

from canary_analyzer.report.links import LinkTemplate
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.service import http
from canary_analyzer.service.archive import Archive
from canary_analyzer.service.pages import Pages

LINKS = (
    LinkTemplate(title="Grafana", url="https://grafana.example/d/canary?var-run={run}&from={since_ms}&to={until_ms}"),
)


@pytest.fixture
def site(cluster):
    """The address of the status page of a cluster."""
    archive = Archive(cluster, ("",), lambda: (), time.time)
    pages = Pages(archive, LINKS, time.time)
    server = http.serve("127.0.0.1", 0, http.Sources(registry=CollectorRegistry(), ready=lambda: True, pages=pages))
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
    assert page.get_by_role("heading", name="checkout-6").is_visible()
    shoot(site, "list")


@pytest.mark.parametrize("name", ["checkout-7", "checkout-6", "search-3"])
def test_the_page_of_a_run_has_its_pictures_and_says_why_and_what_now(site, busy, visit, shoot, name):
    tab = visit(f"{site}/runs/default/{name}")
    assert tab.page.get_by_text("What now:").is_visible()
    assert tab.page.get_by_role("img").count() >= 5
    assert tab.serious() == []
    shoot(f"{site}/runs/default/{name}", f"run-{name}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_read_the_list(site, busy, visit, dark):
    assert visit(site, dark=dark).serious() == []
