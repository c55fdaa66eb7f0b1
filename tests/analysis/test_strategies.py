"""The guarantee holds for every strategy: a judge does not mind who sets the canary's share, and when."""

import numpy as np
import pytest
from scipy.stats import binom

from canary_analyzer.analysis import Decision, Policy, judge
from canary_analyzer.analysis.scenarios import NULLS, Service, history

RUNS = 60
SHARES = {
    "rolling: a third of the pods at a time": (np.repeat([33, 67], 6), Service(canary_pods=3, baseline_pods=3)),
    "blue-green: all but the control at once": (np.full(30, 90), Service(canary_pods=3, baseline_pods=3)),
}


@pytest.mark.parametrize(("weights", "service"), SHARES.values(), ids=SHARES.keys())
@pytest.mark.parametrize("nuisance", ["independent requests", "all of these together"])
def test_an_identical_version_is_hardly_ever_sent_back(weights, service, nuisance):
    policy = Policy()
    aborted = sum(
        judge(history(np.random.default_rng([7, run]), service, NULLS[nuisance], weights=weights), policy).decision
        is Decision.ABORT
        for run in range(RUNS)
    )
    assert aborted <= binom.ppf(0.999, RUNS, policy.alpha)
