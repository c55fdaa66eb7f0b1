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
