"""Nothing is waited for without an end."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC

import pytest
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster.client import EVENTS
from canary_analyzer.metrics import PrometheusReader, SampleReader
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.sandbox.faults import Refuse, Rule
from canary_analyzer.service.agenda import Agenda
from canary_analyzer.service.reconcile import Ports
from canary_analyzer.service.replicas import Alone
from canary_analyzer.service.rollouts import Rollouts, next_pass
from canary_analyzer.service.telemetry import Telemetry


class Diary:
    """Stands for the scheduler: a test does what is due, and moves the clock."""

    def __init__(self):
        self.now, self.jobs = 1000.0, {}

    def add_job(self, work, _trigger, *, run_date, args, id, replace_existing):  # noqa: A002
        assert replace_existing
        assert run_date.tzinfo is UTC
        self.jobs[id] = (run_date.timestamp(), work, args)

    def next(self):
        """Do the next job, at its time."""
        key = min(self.jobs, key=lambda each: self.jobs[each][0])
        at, work, args = self.jobs.pop(key)
        self.now = max(self.now, at)
        work(*args)


@pytest.fixture
def diary():
    return Diary()


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def rollouts(cluster, diary, registry):
    reader = SampleReader(PrometheusReader("http://127.0.0.1:9", timeout_seconds=1))
    ports = Ports(cluster=cluster, reader=reader, clock=lambda: diary.now)
    with ThreadPoolExecutor(1) as workers:
        yield Rollouts(ports, Telemetry(registry), Agenda(diary, workers), Offers(profiles=PROFILES), Alone())


def test_a_request_that_is_refused_is_counted_once(rollouts, diary, app, registry):
    app.annotate(image="app:v1")
    rollouts.request(("default", "app"), None)
    while diary.jobs:
        diary.next()
    refused = {"result": "Refused", "cause": ""}
    assert registry.get_sample_value("canary_analyzer_verdicts_total", refused) == 1


def test_a_server_that_wants_to_be_left_alone_is(api, diary):
    api.answer = lambda asked: asked.say({"kind": "Status"}, 429, Retry_After="7")
    reader = SampleReader(PrometheusReader("http://127.0.0.1:9", timeout_seconds=1))
    ports = Ports(cluster=api.cluster, reader=reader, clock=lambda: diary.now)
    with ThreadPoolExecutor(1) as workers:
        agenda = Agenda(diary, workers)
        Rollouts(ports, Telemetry(CollectorRegistry()), agenda, Offers(profiles=PROFILES), Alone()).request(
            ("default", "app"), None
        )
        diary.next()
    assert [at - diary.now for at, *_ in diary.jobs.values()] == [7]


class AtOnce(Executor):
    """Does what it is given before it goes on."""

    def submit(self, work, /, *args, **named):
        work(*args, **named)
        return Future()


WRITES = {"what a run does": ("/services$", ("POST",)), "what it tells": ("/events$", ("POST",))}


@pytest.mark.parametrize(("path", "methods"), WRITES.values(), ids=WRITES)
def test_a_server_that_wants_to_be_left_alone_by_a_run_is(app, proxy, diary, path, methods):
    reader = SampleReader(PrometheusReader("http://127.0.0.1:9", timeout_seconds=1))
    ports = Ports(cluster=proxy.client, reader=reader, clock=lambda: diary.now)
    agenda = Agenda(diary, AtOnce())
    rollouts = Rollouts(ports, Telemetry(CollectorRegistry()), agenda, Offers(profiles=PROFILES), Alone())
    proxy.play(Rule(action=Refuse(status=429, reason="TooManyRequests", retry_after=20), methods=methods, path=path))
    app.annotate(image="app:v2")
    rollouts.request(("default", "app"), None)
    for _ in range(2):
        diary.next()
    assert proxy.fired
    assert [at - diary.now for at, *_ in diary.jobs.values()] == [20]


def test_a_controller_that_sees_no_change_is_not_waited_for_without_end(rollouts, diary, app, cluster):
    app.annotate(image="app:v2")
    app.roll_out(observedGeneration=0)
    rollouts.request(("default", "app"), None)
    looks = 0
    while diary.jobs:
        diary.next()
        looks += 1
    assert annotations.IMAGE not in annotations.of(app.deployment())
    assert "has not seen" in cluster.list(EVENTS, "default").items[0]["message"]
    assert looks < 60, "it is looked at less and less often"


HOPELESS = {
    "a quota": Refuse(status=403, reason="Forbidden"),
    "admission": Refuse(status=422, reason="Invalid"),
    "a name that is taken": Refuse(status=409, reason="AlreadyExists"),
}


@pytest.mark.parametrize("refusal", HOPELESS.values(), ids=HOPELESS)
def test_a_record_that_is_refused_is_not_tried_without_end_and_without_a_word(
    rollouts, diary, app, cluster, proxy, refusal
):
    rollouts.work_with(replace(rollouts.ports, cluster=proxy.client), Offers(profiles=PROFILES))
    proxy.play(Rule(action=refusal, methods=("POST",), path="/configmaps"))
    app.annotate(image="app:v2")
    rollouts.request(("default", "app"), None)
    while diary.jobs and diary.now < 2000.0:
        diary.next()
    assert annotations.status_of(app.deployment())["phase"] == "Refused"
    assert "a scripted fault" in cluster.list(EVENTS, "default").items[0]["message"]


def test_what_takes_long_is_looked_at_less_and_less_often_but_with_every_tick(run, make):
    run = run.model_copy(update={"stage": "await canary", "policy": make.policy(tick_seconds=10)})
    waits = [next_pass(run, float(now)) - now for now in (1, 20, 50, 200, 1000)]
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    assert waits[-1] <= run.policy.tick_seconds + 0.2
