import pytest

from canary_analyzer.analysis import Decision


@pytest.fixture
def healthy(make):
    """A world in which the canary is shown to be as good as stable."""
    return make.world(verdict=make.verdict(Decision.HEALTHY))
