"""Merging documents: strategic merge patches, selectors, fields and who owns them. All pure."""

import pytest

from canary_analyzer.sandbox.api import managed, protobuf, schema
from canary_analyzer.sandbox.api.apply import apply
from canary_analyzer.sandbox.api.errors import ApiError
from canary_analyzer.sandbox.api.managed import Writer, decode, encode
from canary_analyzer.sandbox.api.patches import merge_patch, strategic_merge_patch
from canary_analyzer.sandbox.api.selectors import label_selector

A, B, C = ({"name": name, "value": name.lower()} for name in "ABC")


@pytest.mark.parametrize(
    ("live", "patch", "merged"),
    [
        ({"env": [A, B]}, {"env": [{"name": "B", "value": "x"}]}, {"env": [A, {"name": "B", "value": "x"}]}),
        ({"env": [A]}, {"env": [B]}, {"env": [A, B]}),
        ({"env": [A, B]}, {"env": [{"name": "A", "$patch": "delete"}]}, {"env": [B]}),
        ({"env": [A, B]}, {"env": [C, {"$patch": "replace"}]}, {"env": [C]}),
        ({"env": [A]}, {"env": None}, {}),
        ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
        ({"finalizers": ["a"]}, {"finalizers": ["b"]}, {"finalizers": ["a", "b"]}),
        ({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {"finalizers": ["b"]}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"$patch": "replace", "z": 3}}, {"a": {"z": 3}}),
        ({"a": {"x": 1}}, {"a": {"$patch": "delete"}}, {}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"$retainKeys": ["y", "z"], "z": 3}}, {"a": {"y": 2, "z": 3}}),
        ({"env": [A, B]}, {"$setElementOrder/env": [{"name": "B"}, {"name": "A"}]}, {"env": [B, A]}),
    ],
    ids=[
        "an item is merged by its key",
        "a new item is added",
        "an item is deleted",
        "a list is replaced",
        "null deletes",
        "a list without keys is replaced",
        "a set is united",
        "a set loses an item",
        "a map is replaced",
        "a map is deleted",
        "only some keys are retained",
        "the order is set",
    ],
)
def test_strategic_merge(live, patch, merged):
    assert strategic_merge_patch(live, patch) == merged


def test_an_item_without_its_key_is_refused():
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        strategic_merge_patch({}, {"env": [{"value": "x"}]})


def test_a_merge_leaves_the_live_document_alone():
    live = {"a": {"b": 1}, "env": [dict(A)]}
    merge_patch(live, {"a": {"b": 2}})
    strategic_merge_patch(live, {"a": {"b": 2}, "env": [{"name": "A", "value": "x"}]})
    assert live == {"a": {"b": 1}, "env": [A]}


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a in (b,c)", {"a": "c"}, True),
        ("a notin (b, c)", {"a": "c"}, False),
        ("a notin (b)", {}, True),
        ("x.io/a=b, c", {"x.io/a": "b", "c": "d"}, True),
        ("a=", {"a": ""}, True),
    ],
)
def test_label_selectors(selector, labels, matches):
    assert label_selector(selector)({"metadata": {"labels": labels}}) is matches


@pytest.mark.parametrize("selector", ["a b", "a in b", "=b", "a in (b", "a,,b"])
def test_what_is_no_selector_is_refused(selector):
    with pytest.raises(ApiError, match="unable to parse requirement"):
        label_selector(selector)


def test_fields_survive_being_encoded():
    document = {"spec": {"containers": [{"name": "a", "image": "x"}]}, "metadata": {"labels": {"l": "1"}}}
    fields = frozenset(managed.leaves(document, custom=False))
    assert decode(encode(fields)) == fields


def test_apply_follows_one_field_through_three_owners():
    def by(name):
        return Writer(manager=name, api_version="v1", time="now")

    live, entries = apply({}, {"data": {"a": "1"}}, by("one"), custom=True, force=False)
    live["metadata"] = {"managedFields": entries}
    with pytest.raises(ApiError, match=r'conflict with "one": \.data\.a'):
        apply(live, {"data": {"a": "2"}}, by("two"), custom=True, force=False)
    live, entries = apply(live, {"data": {"a": "2"}}, by("two"), custom=True, force=True)
    assert [entry["manager"] for entry in entries] == ["two"]
    live["metadata"] = {"managedFields": entries}
    live, _ = apply(live, {"data": {}}, by("two"), custom=True, force=False)
    assert "a" not in live.get("data", {})


def test_a_typed_document_loses_what_its_kind_does_not_know():
    unknown = []
    document = {"spec": {"replicas": 1, "surprise": 2, "template": {"spec": {"containers": [{"nmae": "x"}]}}}}
    decoded = schema.decode("V1Deployment", document, unknown.append)
    assert decoded == {"spec": {"replicas": 1, "template": {"spec": {"containers": [{}]}}}}
    assert unknown == ["spec.surprise", "spec.template.spec.containers[0].nmae"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"metadata": {"labels": {"a": 1}}},
            "cannot unmarshal number into Go struct field metadata.labels.a of",
        ),
        ({"spec": {"replicas": "1"}}, "cannot unmarshal string into Go struct field spec.replicas of type int32"),
        ({"spec": {"replicas": True}}, "cannot unmarshal bool"),
        ({"spec": []}, "cannot unmarshal array"),
    ],
    ids=["a number for a string", "a string for a number", "a bool for a number", "a list for a map"],
)
def test_a_wrong_type_is_named(document, said):
    with pytest.raises(ApiError, match=said):
        schema.decode("V1Deployment", document, lambda _: None)


def test_what_protobuf_cannot_carry_here_is_refused_and_not_lost():
    lease = b"k8s\x00" + b"\x0a\x0c" + b"\x0a\x02v1" + b"\x12\x06Leases" + b"\x12\x00"
    with pytest.raises(ValueError, match="Leases is not accepted as protobuf"):
        protobuf.decode(lease)
