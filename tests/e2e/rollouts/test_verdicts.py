"""Whole canaries: annotated, routed through a real Envoy, judged from a real Prometheus, ended."""

from collections import Counter

import pytest

from canary_analyzer.rollout.view import Share

pytestmark = pytest.mark.e2e

STEPS = (10, 25, 50)


def test_a_good_canary_is_promoted_leaves_no_trace_and_loses_no_request(user, service):
    route, lost, answered = user.route(), user.load()["lost"], {}
    user.canary("flask-app:v2")

    def over():
        now, counts = user.weights(), user.answered()
        if len(now) == 2 and user.status()["phase"] == "Analysing":
            answered.setdefault(now[1], []).append(counts)
        return user.status()["phase"] in ("Succeeded", "Aborted")

    user.eventually(over, "the end of the run")
    ended = user.ended()
    assert ended["phase"] == "Succeeded", ended
    assert user.image() == "flask-app:v2"
    assert user.route() == route
    assert user.load()["lost"] == lost
    assert [weight for weight in answered if weight > 0] == list(STEPS)
    for weight in STEPS:
        first, last = answered[weight][0], answered[weight][-1]
        grown = Counter(last) - Counter(first)
        assert Share(canary=grown["v2"], total=grown.total()).agrees_with(weight), (weight, grown)


LONGER = "{steps: [{weight: 10, seconds: 6}, {weight: 50, seconds: 140}], deadline_seconds: 200}"
"""Time enough for a slow tail, a few requests in a hundred, to be shown; what every request suffers from is sooner."""
BAD = {
    # image -> metric that the reason must name
    "flask-app:v2-errors": "errors",
    "flask-app:v2-slow": "latency",
    "flask-app:v2-tail": "latency",
}


@pytest.mark.parametrize("image", BAD)
def test_a_bad_canary_is_aborted_with_figures_and_stable_is_untouched(user, service, image):
    route, template, lost = user.route(), user.deployment()["spec"]["template"], user.load()["lost"]
    user.canary(image, config=LONGER)
    ended = user.ended()
    assert ended["phase"] == "Aborted", ended
    assert BAD[image] in ended["reason"]
    assert any(character.isdigit() for character in ended["reason"])
    assert (user.route(), user.deployment()["spec"]["template"]) == (route, template)
    assert user.load()["lost"] == lost


UNFIT = {
    "flask-app:v2-crash": "CrashLoopBackOff",
    "flask-app:v2-unready": "readiness probe fails",
    "flask-app:v-none": "ImagePullBackOff",
}


@pytest.mark.parametrize("image", UNFIT)
def test_a_canary_that_cannot_serve_never_receives_a_request(user, service, image):
    route, before = user.route(), user.load()
    user.canary(image)
    ended = user.ended()
    assert ended["phase"] == "Aborted", ended
    assert UNFIT[image] in ended["reason"]
    after = user.load()
    assert after["lost"] == before["lost"]
    version = image.partition(":")[2]
    assert after["by_version"].get(version) == before["by_version"].get(version)
    assert (user.route(), user.image()) == (route, "flask-app:v1")
