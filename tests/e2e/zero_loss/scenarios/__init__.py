"""The checklist of what could lose requests."""

from tests.e2e.zero_loss.scenario import Scenario
from tests.e2e.zero_loss.scenarios import aborts, failures, gates, mesh, people, routes, strategies

SCENARIOS: tuple[Scenario, ...] = tuple(
    scenario for part in (strategies, aborts, people, failures, routes, gates, mesh) for scenario in part.SCENARIOS
)
