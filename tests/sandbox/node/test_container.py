import pytest

from canary_analyzer.sandbox.node.container import back_off_seconds, restarts


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (50, 10)])
def test_restarts_back_off(failures, seconds):
    assert back_off_seconds(failures) == seconds


@pytest.mark.parametrize(
    ("policy", "exit_code", "again"),
    [("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_the_restart_policy_decides(policy, exit_code, again):
    assert restarts(policy, exit_code) is again
