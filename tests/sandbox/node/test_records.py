import pytest

from canary_analyzer.sandbox.node.records import Record, Running, Terminated, Waiting, Why, pod_status

THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
CRASHED = Terminated(exit_code=1, reason=Why.ERROR, started=THEN, finished=THEN, message="oops")
DONE = Terminated(exit_code=0, reason=Why.COMPLETED, started=THEN, finished=THEN)
UP = Running(started=THEN)


def status(*records, policy="Always", conditions=()):
    pod = {"spec": {"restartPolicy": policy}, "status": {"conditions": list(conditions)}}
    return pod_status(pod, records, "127.1.0.7", NOW)


def make_record(**fields):
    return Record(name="app", image="app:v1", **fields)


@pytest.mark.parametrize(
    ("state", "policy", "phase"),
    [
        pytest.param(make_record(), "Always", "Pending", id="being created"),
        pytest.param(make_record(state=UP), "Always", "Running", id="running"),
        pytest.param(
            make_record(state=Waiting(reason=Why.CRASH_LOOP), last=CRASHED), "Always", "Running", id="crash loop"
        ),
        pytest.param(make_record(state=Waiting(reason=Why.PULL)), "Always", "Pending", id="no image"),
        pytest.param(make_record(state=DONE), "Never", "Succeeded", id="done"),
        pytest.param(make_record(state=CRASHED), "Never", "Failed", id="failed"),
        pytest.param(make_record(state=CRASHED), "OnFailure", "Running", id="about to be tried again"),
    ],
)
def test_phase(state, policy, phase):
    assert status(state, policy=policy)["phase"] == phase


def test_a_pod_is_ready_when_all_of_its_containers_are():
    ready, unready = make_record(state=UP, ready=True), Record(name="side", image="x", state=UP)
    conditions = {each["type"]: each for each in status(ready, unready)["conditions"]}
    assert conditions["Ready"]["status"] == "False"
    assert "[side]" in conditions["Ready"]["message"]
    assert status(ready)["conditions"][-1]["status"] == "True"


def test_a_condition_keeps_the_time_of_its_last_turn():
    before = {"type": "Ready", "status": "True", "lastTransitionTime": THEN}
    kept = status(make_record(state=UP, ready=True), conditions=[before])["conditions"][-1]
    turned = status(make_record(state=UP), conditions=[before])["conditions"][-1]
    assert (kept["lastTransitionTime"], turned["lastTransitionTime"]) == (THEN, NOW)


def test_a_crash_loop_shows_what_it_waits_for_and_how_the_last_run_ended():
    record = make_record(state=Waiting(reason=Why.CRASH_LOOP, message="back-off 2s"), last=CRASHED, restarts=2)
    (container,) = status(record)["containerStatuses"]
    assert container["restartCount"] == 2
    assert container["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 2s"}}
    assert container["lastState"]["terminated"]["exitCode"] == 1
    assert container["lastState"]["terminated"]["message"] == "oops"
