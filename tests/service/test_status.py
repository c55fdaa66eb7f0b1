"""What the status annotation says when no run is active, over the API emulator."""

from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.service.intake import take_in

OFFERS = Offers(profiles=PROFILES)


def test_an_undo_that_brings_back_what_was_said_in_mid_run_is_corrected(cluster, app):
    app.annotate(status=annotations.status_line(run="app-1", phase=Phase.ABORTING, weight=5, verdict="", reason="x"))
    assert take_in(cluster, app.deployment(), None, OFFERS, 1000.0) is None
    assert annotations.status_of(app.deployment()) == {}


def test_the_status_of_an_ended_run_is_left_alone(cluster, app):
    line = annotations.status_line(run="app-1", phase=Phase.ABORTED, weight=0, verdict="", reason="x")
    app.annotate(status=line)
    version = app.deployment()["metadata"]["resourceVersion"]
    assert take_in(cluster, app.deployment(), None, OFFERS, 1000.0) is None
    assert app.deployment()["metadata"]["resourceVersion"] == version
