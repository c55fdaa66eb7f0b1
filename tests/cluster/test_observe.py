"""What is read from documents; the reading itself is tested on the API emulator and on the whole sandbox."""

import pytest

from canary_analyzer.cluster.observe import reached, trouble, unready, weight, wishes, workload
from canary_analyzer.rollout.annotations import APPROVE, HOLD, IMAGE, STATUS, status_line
from canary_analyzer.routing import ISTIO, Target, Traffic

TARGET = Target(namespace="default", stable="app", canary="app-canary")


def pod(ready=False, waiting=None, ended=None, restarts=0):
    status = {"name": "app", "ready": ready, "restartCount": restarts, "state": {}, "lastState": {}}
    if waiting:
        status["state"] = {"waiting": {"reason": waiting}}
    if ended is not None:
        status["lastState"] = {"terminated": {"exitCode": ended}}
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": [status]}}


TROUBLE = {
    # pods -> why they cannot serve; what they wait for
    "all ready": ([pod(ready=True)], "", ""),
    "starting": ([pod(waiting="ContainerCreating")], "", "container app: ContainerCreating (1 of 1 pods)"),
    "not yet ready": ([pod(), pod()], "", "container app: running, but its readiness probe fails (2 of 2 pods)"),
    "crashed once": (
        [pod(ended=3, restarts=1)],
        "",
        "container app: running, but its readiness probe fails, restarted 1 times",
    ),
    "crashed once, restart to come": ([pod(waiting="CrashLoopBackOff", ended=3)], "", "CrashLoopBackOff"),
    "crash loop": (
        [pod(waiting="CrashLoopBackOff", ended=3, restarts=2), pod(ready=True)],
        "container app: CrashLoopBackOff, restarted 2 times, last exit code 3 (1 of 2 pods)",
        "container app: CrashLoopBackOff",
    ),
    "no such image": ([pod(waiting="ImagePullBackOff")], "container app: ImagePullBackOff", "ImagePullBackOff"),
    "no pods": ([], "", "no pods were made"),
}


@pytest.mark.parametrize(("pods", "hopeless", "waits"), TROUBLE.values(), ids=TROUBLE)
def test_pods_say_why_they_do_not_serve(pods, hopeless, waits):
    assert trouble(pods).startswith(hopeless)
    assert bool(trouble(pods)) is bool(hopeless)
    assert waits in unready(pods)


def deployment(generation=2, observed=2, replicas=3, status=None):
    template = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": "app:v1"}]}}
    counted = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "observedGeneration": observed}
    return {
        "metadata": {"name": "app", "namespace": "default", "generation": generation},
        "spec": {"replicas": replicas, "template": template},
        "status": counted | (status or {}),
    }


SETTLED = {
    "all there": (deployment(), True),
    "the controller has not seen the newest spec": (deployment(observed=1), False),
    "scaled up, pods missing": (deployment(replicas=4), False),
    "an old pod is still there": (deployment(status={"replicas": 4}), False),
    "one is not Available": (deployment(status={"availableReplicas": 2}), False),
    "no status yet": ({**deployment(), "status": {}}, False),
}


@pytest.mark.parametrize(("document", "settled"), SETTLED.values(), ids=SETTLED)
def test_a_workload_is_settled_only_when_every_pod_is_new_and_available(document, settled):
    assert workload(document).settled is settled


def test_a_rollout_that_is_stuck_says_so_in_the_controller_s_words():
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    stuck = deployment(status={"conditions": [condition]})
    assert workload(stuck).failure == "ProgressDeadlineExceeded: timed out"


def virtual_service(*weights):
    hosts = ("app", "other")
    route = [{"destination": {"host": host}, "weight": w} for host, w in zip(hosts, weights, strict=False)]
    metadata = {"name": "app", "namespace": "default"}
    return {"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": ["app"], "http": [{"route": route}]}}


def with_weight(route, weight):
    return ISTIO.with_traffic(route, TARGET, Traffic(weight=weight))


def test_a_weight_that_foreign_shares_round_counts_as_reached(run):
    route = with_weight(virtual_service(30, 70), 5)
    assert reached([route], run.model_copy(update={"traffic": Traffic(weight=5)}))
    assert weight([route], run) == 7


def test_routes_that_disagree_or_lack_the_canary_are_at_no_weight(run):
    one, two = with_weight(virtual_service(100), 10), with_weight(virtual_service(100), 25)
    assert weight([one, two], run) is None
    assert not reached([one, two], run.model_copy(update={"traffic": Traffic(weight=10)}))
    assert not reached([virtual_service(100)], run)
    assert not reached([], run)


def test_the_run_is_closed_only_by_its_own_final_status(run):
    final = status_line(run=run.name, phase="Aborted", weight=0, verdict="abort", reason="")
    earlier = status_line(run="app-0", phase="Aborted", weight=0, verdict="abort", reason="")
    ours = {"metadata": {"annotations": {STATUS: final, HOLD: "true", APPROVE: run.name}}}
    assert wishes(ours, run).closed
    assert (wishes(ours, run).trigger, wishes(ours, run).hold, wishes(ours, run).approve) == (None, True, run.name)
    assert not wishes({"metadata": {"annotations": {STATUS: earlier, IMAGE: "app:v2"}}}, run).closed
