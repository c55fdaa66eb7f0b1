"""Kills, silence and users who change their minds, in the middle of a run."""

import pytest

pytestmark = pytest.mark.e2e


def at_the_second_step(user):
    user.eventually(lambda: user.weights() == [75, 25], "the second step")


def test_a_service_killed_in_mid_step_goes_on_where_it_was(user, service):
    lost = user.load()["lost"]
    user.canary("flask-app:v2")
    at_the_second_step(user)
    run = user.status()["run"]
    service.kill()
    service.start()
    ended = user.ended()
    assert (ended["run"], ended["phase"]) == (run, "Succeeded"), ended
    assert (user.image(), user.load()["lost"]) == ("flask-app:v2", lost)


def test_without_prometheus_the_weight_stays_the_phase_says_why_and_the_run_goes_on_afterwards(user, service):
    user.canary("flask-app:v2")
    at_the_second_step(user)
    user.control("prometheus/stop")
    user.eventually(user.phase("Holding"), "the phase Holding")
    assert "Prometheus" in user.status()["reason"]
    assert user.weights() == [75, 25]
    user.control("prometheus/start")
    user.eventually(user.phase("Analysing"), "the run to go on")
    assert user.ended()["phase"] == "Succeeded"


def test_without_traffic_nothing_is_promoted_and_nothing_is_called_bad(user, service):
    user.control("load?rps=0")
    try:
        user.canary("flask-app:v2", config="{deadline_seconds: 30}")
        ended = user.ended()
    finally:
        user.control("load?rps=100")
    assert (ended["phase"], ended["verdict"]) == ("Aborted", "inconclusive"), ended
    assert "no verdict within 30 s" in ended["reason"]
    assert user.image() == "flask-app:v1"


def test_taking_the_annotation_away_aborts_at_once(user, service):
    user.canary("flask-app:v2")
    user.eventually(lambda: user.weights() == [90, 10], "the first step")
    user.annotate(image=None)
    ended = user.ended()
    assert (ended["phase"], user.image()) == ("Aborted", "flask-app:v1")
    assert "annotation image was removed" in ended["reason"]


def test_hold_keeps_the_weight_and_its_end_lets_the_ramp_go_on(user, service):
    user.canary("flask-app:v2", hold="true")
    user.eventually(user.phase("Holding"), "the phase Holding")
    assert user.weights() == [100, 0]
    user.annotate(hold=None)
    user.eventually(lambda: user.weights() == [90, 10], "the first step")
    user.annotate(abort=user.status()["run"])
    assert "a user asked for it" in user.ended()["reason"]


def test_two_deployments_run_their_canaries_side_by_side(user, service):
    user.second_app("shop")
    try:
        user.canary("flask-app:v2")
        user.annotate("shop", image="flask-app:v2-crash")
        user.eventually(user.phase("Aborting", "shop"), "the end of shop's canary")
        assert user.status()["phase"] in ("Starting", "Analysing")
        assert user.ended()["phase"] == "Succeeded"
        user.eventually(user.phase("Aborted", "shop"), "shop to be tidy")
    finally:
        user.delete_app("shop")
