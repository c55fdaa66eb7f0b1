"""What holds for any VirtualService: nothing of the user's is lost, whatever is done to it and in any order."""

import json
from copy import deepcopy

import jsonpatch
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st

from canary_analyzer.routing import Target, json_patch, restored, with_weight

TARGET = Target(namespace="shop", stable="web", canary="web-canary")
STABLE_HOSTS = ("web", "web.shop.svc.cluster.local")
CANARY_HOSTS = ("web-canary", "web-canary.shop.svc.cluster.local")


def given(*values):
    """No deadline: how long an example takes says more about the machine than about the code."""
    return lambda test: settings(deadline=None)(given_any(*values)(test))


unknown = st.dictionaries(
    st.sampled_from(["retries", "timeout", "corsPolicy", "headers", "rewrite", "mirror", "somethingNew", "a/b~c"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~ ", max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)
foreign_hosts = st.sampled_from(["api", "web.other.svc.cluster.local", "example.com", "*"])


@st.composite
def items(draw, hosts):
    destination = {"host": draw(hosts)} | draw(st.sampled_from([{}, {"port": {"number": 8080}}]))
    parts = [("destination", destination), *draw(unknown).items()]
    if draw(st.booleans()):
        parts.append(("weight", draw(st.integers(0, 100))))
    return dict(draw(st.permutations(parts)))


@st.composite
def routes(draw, with_stable):
    route = draw(st.lists(items(foreign_hosts), max_size=3, min_size=0 if with_stable else 1))
    if with_stable:
        route.insert(draw(st.integers(0, len(route))), draw(items(st.sampled_from(STABLE_HOSTS))))
    if len(route) > 1 and not sum(item.get("weight", 0) for item in route):
        route[0]["weight"] = draw(st.integers(1, 100))
    return route


@st.composite
def entries(draw):
    kind = draw(st.sampled_from(["stable", "stable", "foreign", "redirect", "directResponse", "delegate"]))
    body = {"route": draw(routes(kind == "stable"))} if kind in ("stable", "foreign") else {kind: {"name": "elsewhere"}}
    return draw(unknown) | body


@st.composite
def virtual_services(draw):
    spec = draw(unknown) | {"hosts": ["web"], "http": draw(st.lists(entries(), min_size=1, max_size=4))}
    metadata = {"name": "web", "namespace": "shop", "resourceVersion": "1", "labels": {"team": "shop"}}
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}


def _set_timeout(document, index):
    document["spec"]["http"][index % len(document["spec"]["http"])]["timeout"] = "7s"


def _set_retries_of_all(document, index):
    for entry in document["spec"]["http"]:
        entry["retries"] = {"attempts": index}


def _add_host(document, index):
    document["spec"]["hosts"].append(f"host-{index}.example.com")


def _label(document, index):
    document["metadata"]["labels"]["edited"] = str(index)


def _insert_redirect(document, index):
    document["spec"]["http"].insert(index % len(document["spec"]["http"]), {"redirect": {"uri": f"/{index}"}})


def _insert_foreign_route(document, index):
    document["spec"]["http"].insert(
        index % len(document["spec"]["http"]), {"route": [{"destination": {"host": "new"}}]}
    )


def _drop_entry_that_is_not_ours(document, index):
    gone = document["spec"]["http"][index % len(document["spec"]["http"])]
    if "route" not in gone and len(document["spec"]["http"]) > 1:
        document["spec"]["http"].remove(gone)


def _headers_on_first_destinations(document, index):
    for entry in document["spec"]["http"]:
        if entry.get("route"):
            entry["route"][0]["headers"] = {"response": {"add": {"edit": str(index)}}}


foreign_edits = st.tuples(
    st.sampled_from(
        [
            _set_timeout,
            _set_retries_of_all,
            _add_host,
            _label,
            _insert_redirect,
            _insert_foreign_route,
            _drop_entry_that_is_not_ours,
            _headers_on_first_destinations,
        ]
    ),
    st.integers(0, 3),
)
operations = st.lists(st.integers(0, 100) | foreign_edits, max_size=6)


def _route_lists(document):
    return [entry["route"] for entry in document["spec"]["http"] if "route" in entry]


def _is_governed(route):
    return any(item["destination"]["host"] in STABLE_HOSTS + CANARY_HOSTS for item in route)


def _exact(document):
    return json.dumps(document)


@given(virtual_services(), operations)
def test_after_any_sequence_of_steps_and_foreign_edits_the_document_is_the_one_without_us(original, steps):
    untouched, live, last_written = deepcopy(original), deepcopy(original), deepcopy(original)
    for step in steps:
        if isinstance(step, int):
            live = last_written = with_weight(live, TARGET, step)
        else:
            edit, index = step
            live = deepcopy(live)
            edit(live, index)
            edit(untouched, index)
    assert _exact(restored(live, original, last_written, TARGET)) == _exact(untouched)


@given(virtual_services(), st.integers(0, 100), st.integers(0, 100))
def test_a_record_one_write_behind_restores_as_well(original, recorded, written):
    """The process was killed between its last write and the record of it."""
    last_recorded = with_weight(original, TARGET, recorded)
    live = with_weight(last_recorded, TARGET, written)
    assert _exact(restored(live, original, last_recorded, TARGET)) == _exact(original)


@given(virtual_services(), st.lists(st.integers(0, 100), min_size=1, max_size=4))
def test_weights_always_sum_to_100(document, weights):
    for weight in weights:
        document = with_weight(document, TARGET, weight)
    for route in filter(_is_governed, _route_lists(document)):
        assert sum(item.get("weight", 0) for item in route) == 100


@given(virtual_services(), st.integers(0, 100))
def test_nothing_but_weights_and_our_destination_changes(document, weight):
    written = with_weight(document, TARGET, weight)
    for route in filter(_is_governed, _route_lists(written)):
        assert route.pop()["destination"]["host"] in CANARY_HOSTS
    for each in (document, written):
        for item in (item for route in filter(_is_governed, _route_lists(each)) for item in route):
            item.pop("weight", None)
    assert written == document


@given(virtual_services(), st.integers(0, 100))
def test_foreign_destinations_keep_their_share_within_one_percent(document, weight):
    written = with_weight(document, TARGET, weight)
    for before, after in zip(_route_lists(document), _route_lists(written), strict=True):
        total = sum(item.get("weight", 0) for item in before)
        for old, new in zip(before, after, strict=False):
            if len(before) > 1 and _is_governed(before) and not _is_governed([old]):
                assert abs(new.get("weight", 0) - old.get("weight", 0) * 100 / total) < 1


@given(virtual_services(), st.integers(0, 100))
def test_writing_the_same_weight_again_changes_nothing(document, weight):
    once = with_weight(document, TARGET, weight)
    assert json_patch(once, with_weight(once, TARGET, weight)) == []


@given(virtual_services(), st.integers(0, 100), foreign_edits)
def test_a_patch_applies_and_begins_with_tests(live, weight, foreign):
    desired = with_weight(live, TARGET, weight)
    edit, index = foreign
    edit(desired, index)
    patch = json_patch(live, desired)
    assert jsonpatch.apply_patch(live, patch) == desired
    kinds = [operation["op"] for operation in patch]
    assert not patch or patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}
    assert "test" not in kinds[kinds.count("test") :]


@given(virtual_services(), virtual_services())
def test_a_patch_leads_from_any_document_to_any_other(live, desired):
    assert jsonpatch.apply_patch(live, json_patch(live, desired)) == desired
