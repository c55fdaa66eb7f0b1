from copy import deepcopy

import pytest

from canary_analyzer.rollout.floor import HELD, held, minimum, released, sizes

AUTOSCALER = {
    "metadata": {"name": "app", "namespace": "default"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "app"}, "minReplicas": 2, "maxReplicas": 10},
}


def autoscaler(**spec):
    changed = deepcopy(AUTOSCALER)
    changed["spec"] = {key: value for key, value in {**AUTOSCALER["spec"], **spec}.items() if value is not None}
    return changed


FLOORS = {
    # minimum, maximum, stable's size -> minimum while it is held
    "raised to stable's size": (2, 10, 6, 6),
    "never above the maximum": (2, 5, 6, 5),
    "never lowered": (8, 10, 6, 8),
    "Kubernetes' default": (None, 10, 6, 6),
}


@pytest.mark.parametrize(("least", "most", "replicas", "expected"), FLOORS.values(), ids=FLOORS)
def test_the_floor_is_held_and_given_back_without_a_trace(least, most, replicas, expected):
    before = autoscaler(minReplicas=least, maxReplicas=most)
    during = held(before, replicas)
    assert minimum(during) == expected
    assert released(during) == before


def test_holding_it_twice_remembers_what_it_was_at_first():
    assert released(held(held(AUTOSCALER, 4), 6)) == AUTOSCALER


def test_what_somebody_else_sets_in_the_meantime_stays():
    during = held(AUTOSCALER, 6)
    during["spec"]["minReplicas"] = 3
    assert released(during) == autoscaler(minReplicas=3)


def test_other_annotations_survive():
    annotated = deepcopy(AUTOSCALER)
    annotated["metadata"]["annotations"] = {"team": "shop"}
    assert set(held(annotated, 6)["metadata"]["annotations"]) == {"team", HELD}
    assert released(held(annotated, 6)) == annotated


def test_only_the_autoscaler_of_this_deployment_is_meant():
    assert sizes(AUTOSCALER, "app")
    assert not sizes(AUTOSCALER, "other")
    assert not sizes(autoscaler(scaleTargetRef={"kind": "StatefulSet", "name": "app"}), "app")
