"""Pages from records, and how often the records are read for them."""

import re
from dataclasses import replace

import pytest

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import CONFIGMAPS, Cluster
from canary_analyzer.sandbox.faults import UNAVAILABLE, Rule, faulty
from canary_analyzer.service.archive import FRESH_SECONDS, Archive
from canary_analyzer.service.pages import Pages


class Site:
    """The pages of a cluster, a clock that a test moves, and the runs of this process."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.now, self.own = cluster, 1000.0, ()
        self.archive = Archive(cluster, ("default",), lambda: self.own, lambda: self.now)
        self.pages = Pages(self.archive, (), lambda: self.now)

    def text(self, path: str) -> str:
        page = self.pages.get(path)
        return page.body.decode() if page is not None else ""


@pytest.fixture
def site(cluster):
    return Site(cluster)


def test_a_run_of_another_replica_is_shown_as_recorded(site, cluster, run):
    records.create(cluster, run, ())
    assert "app-1" in site.text("/")
    assert "What now" in site.text("/runs/default/app-1")


def test_a_run_of_this_process_is_shown_as_it_is_this_moment(site, cluster, run):
    record = records.create(cluster, run, ())
    site.own = (replace(record, run=run.model_copy(update={"reason": "news of this moment"})),)
    assert "news of this moment" in site.text("/")
    assert "news of this moment" in site.text("/runs/default/app-1")


def test_records_are_read_again_only_after_a_while(site, cluster, run):
    assert "app-1" not in site.text("/")
    records.create(cluster, run, ())
    site.now += FRESH_SECONDS / 2
    assert "app-1" not in site.text("/")
    site.now += FRESH_SECONDS
    assert "app-1" in site.text("/")


@pytest.mark.parametrize(
    "path", ["/runs/default/nobody-1", "/runs/default/app-1/", "/runs/../etc", "/static/x", "/runs/A/B"]
)
def test_what_is_not_there_is_not_found_and_nobody_is_asked_for_it(site, cluster, run, path):
    records.create(cluster, run, ())
    site.text("/")
    asked = []
    cluster._on_request = lambda verb, code: asked.append(verb)
    assert site.pages.get(path) is None
    assert asked == []


def test_an_api_server_that_does_not_answer_leaves_what_was_known(cluster, run, tmp_path):
    records.create(cluster, run, ())
    kubeconfig = (tmp_path / "kubeconfig").read_text()
    api = re.search(r"http://127.0.0.1:\d+", kubeconfig)[0]
    with faulty(api, []) as proxy:
        (tmp_path / "faulty").write_text(kubeconfig.replace(api, proxy.url))
        site = Site(Cluster.connect(tmp_path / "faulty"))
        site.text("/")
        proxy.play(Rule(action=UNAVAILABLE))
        site.now += 60
        assert "app-1" in site.text("/")
        assert "may be old" in site.text("/")
        assert site.pages.get("/runs/default/app-1").status.startswith("503")


def test_a_record_that_somebody_garbled_is_named_in_place_of_its_page(site, cluster, run):
    records.create(cluster, run, ())
    cluster.merge(CONFIGMAPS, "default", "canary-run-app-1", {"data": {"routes.json": "[" * 100_000}})
    assert "app-1" in site.text("/")
    page = site.pages.get("/runs/default/app-1")
    assert page.status.startswith("503")
    assert "ConfigMap default/canary-run-app-1 cannot be read" in page.body.decode()


def test_a_page_is_drawn_once_for_each_state_of_its_run(site, cluster, run):
    record = records.create(cluster, run, ())
    first = site.pages.get("/runs/default/app-1")
    assert site.pages.get("/runs/default/app-1").body is first.body
    records.save(cluster, replace(record, run=run.model_copy(update={"reason": "changed"})))
    site.now += 2 * FRESH_SECONDS
    assert "changed" in site.text("/runs/default/app-1")


def test_a_story_that_somebody_garbled_does_not_keep_the_run_from_being_shown(site, cluster, run):
    records.create(cluster, run, ())
    cluster.merge(CONFIGMAPS, "default", "canary-run-app-1", {"data": {"story.json": "{nonsense"}})
    assert "What now" in site.text("/runs/default/app-1")
