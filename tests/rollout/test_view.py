import pytest

from canary_analyzer.rollout.view import Share

SHARES = {
    # canary, total, weight -> agrees
    "no requests contradict nothing": (0, 0, 10, True),
    "exact": (100, 1000, 10, True),
    "old split": (0, 1000, 10, False),
    "chance": (13, 100, 10, True),
    "all drained": (0, 1000, 0, True),
    "still draining": (60, 1000, 0, False),
    "thin": (1, 3, 10, True),
}


@pytest.mark.parametrize(("canary", "total", "weight", "agrees"), SHARES.values(), ids=SHARES)
def test_the_observed_share_agrees_with_the_weight(canary, total, weight, agrees):
    assert Share(canary=canary, total=total).agrees_with(weight) is agrees
