import pytest

from canary_analyzer.rollout.programs.goals import canary_replicas


@pytest.mark.parametrize(
    ("stable", "weight", "replicas"),
    [(1, 10, 1), (3, 10, 2), (3, 50, 2), (10, 50, 5), (10, 5, 2), (100, 25, 25), (7, 100, 7)],
)
def test_the_canary_is_as_large_as_its_weight_needs(stable, weight, replicas):
    assert canary_replicas(stable, weight) == replicas
