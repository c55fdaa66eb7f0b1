"""The Deployment's own rolling update, its new pods compared with its old ones."""

import pytest

pytestmark = pytest.mark.e2e

PACE = 15
POLICY = f"{{rolling: {{pace_seconds: {PACE}}}}}"


def idle(user):
    """What a user would find changed: all of the Deployment but its status and what the API server keeps about it."""
    live = user.deployment()
    return {"spec": live["spec"], "labels": live["metadata"].get("labels")}


def test_good_pods_replace_the_old_ones_and_only_the_image_has_changed(user, service):
    before, route, lost = idle(user), user.route(), user.load()["lost"]
    user.canary("flask-app:v2", strategy="rolling", config=POLICY)
    user.eventually(lambda: user.deployment()["spec"].get("minReadySeconds") == PACE, "the new pods' pace")
    ended = user.ended()
    assert ended["phase"] == "Succeeded", ended
    before["spec"]["template"]["spec"]["containers"][0]["image"] = "flask-app:v2"
    assert (idle(user), user.route()) == (before, route)
    assert user.load()["lost"] == lost


BAD = {
    # image -> metric that the reason must name
    "flask-app:v2-errors": "errors",
    "flask-app:v2-slow": "latency",
}


@pytest.mark.parametrize("image", BAD)
def test_worse_pods_are_taken_back_and_nothing_has_changed(user, service, image):
    before, lost = idle(user), user.load()["lost"]
    user.canary(image, strategy="rolling", config=POLICY)
    ended = user.ended()
    assert ended["phase"] == "Aborted", ended
    assert BAD[image] in ended["reason"]
    assert (idle(user), user.load()["lost"]) == (before, lost)


def test_pods_that_crash_are_taken_back_before_they_get_a_request(user, service):
    before, load = idle(user), user.load()
    user.canary("flask-app:v2-crash", strategy="rolling", config=POLICY)
    ended = user.ended()
    assert ended["phase"] == "Aborted", ended
    assert "CrashLoopBackOff" in ended["reason"]
    assert (idle(user), user.load()["lost"]) == (before, load["lost"])
    assert "v2-crash" not in user.answered()
