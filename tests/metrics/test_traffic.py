"""What a workload's traffic was like, read from a real Prometheus."""

import numpy as np
import pytest

from canary_analyzer.metrics import SampleReader, Workload
from canary_analyzer.metrics.traffic import NoTrafficError, measured

START = 1_700_000_000.0


def test_traffic_errors_and_latency_are_those_of_the_workload(prometheus):
    web = Workload(namespace="shop", name="web")
    service = measured(SampleReader(prometheus), web, until=START + 60, seconds=60, tick_seconds=10)
    assert service.requests_per_second == pytest.approx(21 / 5)
    assert service.error_rate == pytest.approx(1 / 21)
    assert service.edges_ms.tolist() == [10, 100]
    below = service.latency.below(service.edges_ms, np.array(1.0), 0.0)
    np.testing.assert_allclose(below, [5 / 21, 15 / 21], atol=0.01)


def test_a_workload_without_a_request_is_no_traffic_at_all(prometheus):
    nobody = Workload(namespace="shop", name="nobody")
    with pytest.raises(NoTrafficError, match="no request of shop/nobody"):
        measured(SampleReader(prometheus), nobody, until=START + 60, seconds=60, tick_seconds=10)
