"""The most telling causes of lost requests, side by side; `make e2e-zero-loss` plays them all."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 900
TELLING = (
    "service killed in every stage: v2",
    "canary pods killed",
    "promoted stable never becomes ready",
    "canary deleted by hand",
    "VirtualService reverted again and again",
    "service deleted for good, abort --all",
    "autoscaler shrinks stable in mid-run",
    "slow answers: v2",
    "HTTPRoute: v2",
    "delegate: v2-errors",
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(PATIENCE_SECONDS)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each scenario showed, by name."""
    file = tmp_path_factory.mktemp("zero-loss") / "results.jsonl"
    chosen = {"ONLY": f"^({'|'.join(map(re.escape, TELLING))})$", "RESULTS": str(file)}
    command = [sys.executable, "-m", "tests.e2e.zero_loss"]
    made = subprocess.run(command, cwd=ROOT, env=os.environ | chosen, capture_output=True, text=True, check=False)
    assert file.exists(), made.stdout + made.stderr
    return {result["scenario"]: result for result in map(json.loads, file.read_text().splitlines())}


@pytest.mark.parametrize("scenario", TELLING)
def test_no_request_is_lost_by_our_hand_and_the_run_ends_as_it_should(results, scenario):
    assert results[scenario]["passed"], results[scenario]
