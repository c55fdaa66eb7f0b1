"""hold, resume, approve, promote, abort: annotations that the service understands, and nothing else."""

import pytest

from canary_analyzer.cluster.stable import annotate
from canary_analyzer.rollout.phases import Phase


@pytest.mark.parametrize(
    ("verb", "phase", "code", "written"),
    [
        pytest.param("hold", Phase.ANALYSING, 0, {"hold": "true"}, id="hold"),
        pytest.param("resume", Phase.HOLDING, 0, {"hold": None}, id="resume"),
        pytest.param("approve", Phase.AWAITING_APPROVAL, 0, {"approve": "app-1"}, id="approve"),
        pytest.param("approve", Phase.ANALYSING, 1, {"approve": None}, id="approve where nobody asks"),
        pytest.param("promote", Phase.ANALYSING, 0, {"promote": "app-1"}, id="promote"),
        pytest.param("promote", Phase.STARTING, 0, {"promote": "app-1"}, id="promote as soon as possible"),
        pytest.param("promote", Phase.ABORTING, 1, {"promote": None}, id="promote what goes back"),
        pytest.param("abort", Phase.ANALYSING, 0, {"abort": "app-1"}, id="abort"),
        pytest.param("abort", Phase.ABORTING, 1, {"abort": None}, id="abort what goes back"),
    ],
)
def test_a_wish_about_a_run_is_an_annotation(shop, canary, verb, phase, code, written):
    shop.run(phase)
    if verb == "resume":
        shop.annotate(hold="true")
    told = canary(verb, "app")
    assert told.exit_code == code
    assert {key: shop.notes().get(key) for key in written} == written


def test_a_run_may_be_named_instead_of_its_deployment(shop, canary):
    shop.run()
    assert canary("hold", "app-1").exit_code == 0
    assert shop.notes()["hold"] == "true"


def test_what_the_service_writes_in_between_is_kept(shop, canary, monkeypatch):
    shop.run()

    def late(cluster, deployment, changes):
        if "status" not in shop.notes():
            shop.annotate(status="{}")
        annotate(cluster, deployment, changes)

    monkeypatch.setattr("canary_analyzer.cluster.stable.annotate", late)
    assert canary("hold", "app").exit_code == 0
    assert (shop.notes()["status"], shop.notes()["hold"]) == ("{}", "true")
