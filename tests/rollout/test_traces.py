from copy import deepcopy

import pytest
from pydantic import ValidationError

from canary_analyzer.rollout.options import StickySessions
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.traces import Mark, Traces, marked, marks_of, target_of, unmarked

ROUTE = {"metadata": {"name": "app", "namespace": "default"}, "spec": {"hosts": ["app"]}}


@pytest.fixture
def mark(run):
    return Mark(traces=Traces.of(run), spec=ROUTE["spec"])


def test_a_mark_tells_all_that_is_needed_to_take_a_run_s_traces_away(run, mark):
    [found] = marks_of(marked(ROUTE, mark))
    assert found == mark
    assert (found.traces.siblings, found.traces.services) == (("app-canary",), ("app-canary",))
    assert found.traces.target == target_of(run)


def test_without_its_mark_a_route_is_as_it_was(mark):
    annotated = deepcopy(ROUTE)
    annotated["metadata"]["annotations"] = {"team": "shop"}
    assert unmarked(marked(ROUTE, mark), mark.traces) == ROUTE
    assert unmarked(marked(annotated, mark), mark.traces) == annotated


def test_two_runs_can_mark_one_route(make, mark):
    other = Mark(traces=Traces.of(make.run(deployment="b" * 70, name="b-1")), spec={})
    both = marked(marked(ROUTE, mark), other)
    assert marks_of(unmarked(both, mark.traces)) == [other]
    assert all(len(key.partition("/")[2]) <= 63 for key in both["metadata"]["annotations"])


def test_a_record_from_before_routes_had_a_kind_is_read(run):
    old = run.model_dump(mode="json", exclude={"routes", "traffic", "target", "strategy", "passed", "fresh"})
    read = Run.model_validate({**old, "virtual_services": ["app"], "weight": 10})
    assert [str(route) for route in read.routes] == ["VirtualService default/app"]
    assert (read.traffic.weight, read.strategy) == (10, "canary")
    assert target_of(read).canary == "app-canary"


def test_a_record_is_read_as_it_was_written(make):
    run = make.run(policy=make.policy(steps=[{"match": {"cookie": ["t", "1"]}}, {"weight": 50}], sticky={}))
    assert Run.model_validate_json(run.model_dump_json()) == run


BEYOND = {
    "a short tick": {"tick_seconds": 0.2},
    "a tick longer than a step": {"tick_seconds": 30},
    "a long tick": {"tick_seconds": 86400},
    "an endless tick": {"tick_seconds": 1e300},
    "a cookie's name": {"sticky": StickySessions.model_construct(cookie="a b")},
}


@pytest.mark.parametrize("fields", BEYOND.values(), ids=BEYOND)
def test_a_run_keeps_the_policy_it_began_with_though_nobody_could_ask_for_it_now(make, fields):
    policy = make.policy().model_copy(update=fields)
    run = make.run(policy=policy)
    assert Run.model_validate_json(run.model_dump_json()) == run
    with pytest.raises(ValidationError):
        RolloutPolicy.model_validate_json(policy.model_dump_json())


def test_a_record_whose_policy_has_no_weight_is_still_refused(run):
    fields = run.model_dump(mode="json")
    fields["policy"]["steps"] = []
    with pytest.raises(ValidationError):
        Run.model_validate(fields)
