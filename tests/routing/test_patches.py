import gc
import weakref

import jsonpatch
import pytest

from canary_analyzer.routing import disowned, json_patch

LIVE = {"metadata": {"name": "web", "resourceVersion": "7"}, "spec": {"http": [1, 2]}, "status": {"ok": True}}


def test_no_difference_is_no_patch():
    assert json_patch(LIVE, LIVE) == []


def test_a_patch_names_what_was_read_before_what_changes():
    assert json_patch(LIVE, LIVE | {"spec": {"http": [1, 3]}}) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "test", "path": "/spec", "value": {"http": [1, 2]}},
        {"op": "replace", "path": "/spec/http/1", "value": 3},
    ]


@pytest.mark.parametrize(
    "since",
    [
        pytest.param({"metadata": {"name": "web", "resourceVersion": "8"}}, id="anything written since"),
        pytest.param({"spec": {"http": [1, 9]}}, id="spec changed, version unknown to the server"),
    ],
)
def test_a_patch_does_not_apply_to_anything_but_what_was_read(since):
    patch = json_patch(LIVE, LIVE | {"spec": {"http": [1, 3]}})
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(LIVE | since, patch)


DIFFERENCES = {
    "a key that needs quoting": ({"a/b": 1, "c~d": 2}, {"a/b": 2}),
    "a list that has grown": ([{"host": "app"}], [{"host": "app", "weight": 90}, {"host": "next", "weight": 10}]),
    "an item of a list of the same length": ([1, {"a": [2, 3]}], [1, {"a": [2, 4]}]),
    "another kind of value": ({"a": 1}, [1]),
    "nothing where there was something": ({"a": {"b": 1}}, {}),
}


@pytest.mark.parametrize(("before", "after"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_patch_makes_of_what_was_what_is_wanted(before, after):
    live, desired = LIVE | {"spec": before}, LIVE | {"spec": after}
    assert jsonpatch.apply_patch(live, json_patch(live, desired)) == desired


def test_a_patch_leaves_nothing_of_a_document_to_the_garbage_collector():
    added = Spec(http=[1])
    json_patch(LIVE, LIVE | {"spec": {"added": added}})
    kept = weakref.ref(added)
    gc.disable()
    try:
        del added
        assert kept() is None
    finally:
        gc.enable()


class Spec(dict):
    """An object that one can watch go."""


def test_a_file_without_version_is_guarded_by_its_content():
    patch = json_patch({"spec": 1}, {"spec": 2})
    assert patch[0] == {"op": "test", "path": "/spec", "value": 1}


def test_ownership_is_given_up_and_that_of_others_kept():
    ours, helm = {"manager": "canary-analyzer", "fieldsV1": {}}, {"manager": "helm", "fieldsV1": {}}
    live = {"metadata": {"resourceVersion": "7", "managedFields": [helm, ours]}, "spec": 1}
    desired = disowned(live, "canary-analyzer")
    assert desired["metadata"]["managedFields"] == [helm]
    assert jsonpatch.apply_patch(live, json_patch(live, desired)) == desired


def test_where_nobody_owns_fields_there_is_nothing_to_give_up():
    assert json_patch(LIVE, disowned(LIVE, "canary-analyzer")) == []
