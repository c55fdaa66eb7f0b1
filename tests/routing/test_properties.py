"""What holds for any route document: nothing of the user's is lost, whatever is done to it and in any order."""

import json
from copy import deepcopy

import jsonpatch
import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st

from canary_analyzer.routing import GATEWAY_API, ISTIO, Match, Sticky, Target, Traffic, json_patch

ORDINARY = Target(namespace="shop", stable="web", canary="web-canary")
FRESH = Target(namespace="shop", stable="web", canary="web-canary", baseline="web-baseline")
ARMS = ("web", "web-canary", "web-baseline")
BOUNDS = (1, 10, 25, 50, 90)


def given(*values):
    """No deadline: how long an example takes says more about the machine than about the code."""
    return lambda test: settings(deadline=None, max_examples=15)(given_any(*values)(test))


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~ ", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=2),
    max_leaves=4,
)
unknown = st.dictionaries(
    st.sampled_from(["retries", "timeout", "corsPolicy", "somethingNew", "a/b~c"]), anything, max_size=3
)


@st.composite
def shuffled(draw, *parts):
    """An object of these fields in any order, unknown ones among them."""
    fields = [*draw(unknown).items(), *(item for part in parts for item in draw(part).items())]
    return dict(draw(st.permutations(fields)))


def maybe(field, values):
    return st.just({}) | values.map(lambda value: {field: value})


class VirtualServices:
    """How to make VirtualServices, and to look at them."""

    router, entries, items, title = ISTIO, "http", "route", "VirtualService"
    hosts = st.sampled_from(["api", "web.other.svc.cluster.local", "example.com", "*"])
    headers = st.sampled_from(
        [{"response": {"add": {"x": "y"}}}, {"request": {"set": {"a": "b"}}}, {}, {"response": {"add": {}}}]
    )
    mirror = st.sampled_from([{"mirror": {"host": "shadow"}}, {"mirrors": []}, {"mirrorPercentage": {"value": 5.5}}])
    match = st.lists(
        st.sampled_from(
            [
                {"uri": {"prefix": "/a"}},
                {"headers": {"x-user": {"exact": "me"}}},
                {"headers": {"Cookie": {"exact": "c"}}},
            ]
        ),
        min_size=1,
        max_size=2,
    )
    elsewhere = st.sampled_from(
        [{"redirect": {"uri": "/"}}, {"directResponse": {"status": 503}}, {"delegate": {"name": "d"}}]
    )

    @classmethod
    def item(cls, hosts):
        destination = shuffled(hosts.map(lambda host: {"host": host}), maybe("port", st.just({"number": 8080})))
        return shuffled(
            destination.map(lambda value: {"destination": value}),
            maybe("weight", st.integers(0, 100)),
            maybe("headers", cls.headers),
        )

    @classmethod
    def stable(cls):
        return cls.item(st.sampled_from(["web", "web.shop.svc.cluster.local"]))

    @classmethod
    def entry(cls, route):
        extra = maybe("match", cls.match), st.just({}) | cls.mirror, maybe("name", st.sampled_from(["one", "two"]))
        return shuffled(st.just({"route": route}), *extra)

    @staticmethod
    def weights(route):
        return [route[0].get("weight") or 100] if len(route) == 1 else [item.get("weight") or 0 for item in route]

    @staticmethod
    def name(item):
        return item["destination"]["host"].removesuffix(".shop.svc.cluster.local")

    @staticmethod
    def is_added(entry):
        return entry.get("name", "").startswith("canary-analyzer-")


class HttpRoutes:
    """How to make HTTPRoutes, and to look at them."""

    router, entries, items, title = GATEWAY_API, "rules", "backendRefs", "HTTPRoute"
    filters = st.sampled_from(
        [
            [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}]}}],
            [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 80}}}],
            [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["x"]}}],
            [],
        ]
    )
    match = st.lists(
        st.sampled_from(
            [
                {"path": {"type": "PathPrefix", "value": "/a"}},
                {"headers": [{"name": "x-user", "value": "me"}]},
                {"headers": [{"name": "Cookie", "value": "c"}]},
            ]
        ),
        min_size=1,
        max_size=2,
    )
    elsewhere = st.sampled_from([{"filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 301}}]}])
    hosts = st.sampled_from(["api", "shadow", "pages"])

    @classmethod
    def item(cls, names):
        named = names.map(lambda name: {"name": name, "port": 80})
        return shuffled(
            named,
            maybe("weight", st.integers(0, 999)),
            maybe("filters", cls.filters),
            maybe("kind", st.just("Service")),
        )

    @classmethod
    def stable(cls):
        return cls.item(st.just("web"))

    @classmethod
    def entry(cls, route):
        return shuffled(st.just({"backendRefs": route}), maybe("matches", cls.match), maybe("filters", cls.filters))

    @staticmethod
    def weights(route):
        return [item.get("weight", 1) for item in route]

    @staticmethod
    def name(item):
        return item["name"]

    @staticmethod
    def is_added(entry):
        names = {item["name"] for item in entry.get("backendRefs", [])}
        return "analyzer" in json.dumps(entry.get("matches")) or ("web-canary" in names and "web" not in names)


APIS = pytest.mark.parametrize(
    "api", [pytest.param(VirtualServices, id="VirtualService"), pytest.param(HttpRoutes, id="HTTPRoute")]
)


@st.composite
def documents(draw, api):
    """A document of one to four entries, each with a mark of its own, by which edits find it."""
    listed = []
    for mark in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["stable", "stable", "foreign", "elsewhere"]))
        if kind == "elsewhere":
            entry = draw(api.elsewhere)
        else:
            route = draw(st.lists(api.item(api.hosts), min_size=0 if kind == "stable" else 1, max_size=3))
            if kind == "stable":
                route.insert(draw(st.integers(0, len(route))), draw(api.stable()))
            if not sum(api.weights(route)):
                route[0]["weight"] = draw(st.integers(1, 100))
            entry = draw(api.entry(route))
        listed.append({**entry, "mark": mark})
    metadata = {"name": "web", "namespace": "shop", "resourceVersion": "1", "labels": {"team": "shop"}}
    spec = draw(shuffled(st.just({api.entries: listed})))
    # As the API would give it: no two fields share one object.
    return json.loads(json.dumps({"kind": api.title, "metadata": metadata, "spec": spec}))


matches = st.sampled_from(
    [None, Match(headers={"x-tester": "1"}), Match(headers={"X-User": "you"}), Match(cookie=("beta", "a.b"))]
)
traffics = st.one_of(
    st.builds(Traffic, weight=st.integers(0, 100), mirror=st.sampled_from([0, 0, 10, 100]), match=matches),
    st.builds(
        Traffic,
        weight=st.sampled_from([0, *BOUNDS, 100]),
        match=matches,
        sticky=st.sampled_from([Sticky(run="web-1", bounds=BOUNDS), Sticky(run="web-2", bounds=BOUNDS, cookie="lb")]),
    ),
)
fresh_traffics = st.integers(0, 50).map(lambda weight: Traffic(weight=weight, baseline=weight))


def _own(document, api, mark):
    """Position of the user's entry with a mark; None where it is gone."""
    listed = document["spec"][api.entries]
    found = (i for i, entry in enumerate(listed) if entry.get("mark") == mark and not api.is_added(entry))
    return next(found, None)


def _set_timeout(document, api, mark):
    if (index := _own(document, api, mark)) is not None:
        document["spec"][api.entries][index]["timeout"] = "7s"


def _set_retries_of_all(document, api, mark):
    for entry in document["spec"][api.entries]:
        entry["retries"] = {"attempts": mark}


def _label(document, _api, mark):
    document["metadata"]["labels"]["edited"] = str(mark)


def _insert(document, api, mark):
    index = _own(document, api, mark) or 0
    document["spec"][api.entries].insert(index, {"mark": 9, "timeout": f"{mark}s"})


def _drop_what_is_not_ours(document, api, mark):
    index = _own(document, api, mark)
    if index is not None and api.items not in document["spec"][api.entries][index]:
        del document["spec"][api.entries][index]


def _mark_first_destinations(document, api, mark):
    for entry in document["spec"][api.entries]:
        if entry.get(api.items):
            entry[api.items][0]["edited"] = mark


foreign_edits = st.tuples(
    st.sampled_from(
        [_set_timeout, _set_retries_of_all, _label, _insert, _drop_what_is_not_ours, _mark_first_destinations]
    ),
    st.integers(0, 3),
)


def _arms(api, route):
    return [item for item in route if api.name(item) in ARMS]


def _own_routes(document, api):
    return [entry.get(api.items, []) for entry in document["spec"][api.entries] if not api.is_added(entry)]


def _exact(document):
    return json.dumps(document)


@APIS
@given(st.data())
def test_after_any_sequence_of_steps_and_foreign_edits_the_document_is_the_one_without_us(api, data):
    original = data.draw(documents(api))
    untouched, live = deepcopy(original), deepcopy(original)
    for step in data.draw(st.lists(traffics | foreign_edits, max_size=6)):
        if isinstance(step, Traffic):
            live = api.router.with_traffic(live, ORDINARY, step)
        else:
            edit, mark = step
            live = deepcopy(live)
            edit(live, api, mark)
            edit(untouched, api, mark)
    assert _exact(api.router.restored(live, original, ORDINARY)) == _exact(untouched)


@APIS
@given(st.data())
def test_a_fresh_baseline_leaves_no_trace_either(api, data):
    original = live = data.draw(documents(api))
    for traffic in data.draw(st.lists(fresh_traffics, min_size=1, max_size=3)):
        live = api.router.with_traffic(live, FRESH, traffic)
    assert _exact(api.router.restored(live, original, FRESH)) == _exact(original)


@APIS
@given(st.data())
def test_how_a_route_came_to_its_traffic_does_not_matter(api, data):
    original = data.draw(documents(api))
    *before, last = data.draw(st.lists(traffics, min_size=1, max_size=4))
    live = original
    for traffic in before:
        live = api.router.with_traffic(live, ORDINARY, traffic)
    direct = api.router.with_traffic(original, ORDINARY, last)
    assert api.router.with_traffic(live, ORDINARY, last) == direct
    assert json_patch(direct, api.router.with_traffic(direct, ORDINARY, last)) == []


@APIS
@given(st.data())
def test_foreign_destinations_keep_their_share_and_ours_get_what_they_are_given(api, data):
    original, target = data.draw(documents(api)), data.draw(st.sampled_from([ORDINARY, FRESH]))
    traffic = data.draw(traffics if target is ORDINARY else fresh_traffics)
    written = api.router.with_traffic(original, target, traffic)
    for before, after in zip(_own_routes(original, api), _own_routes(written, api), strict=True):
        if not _arms(api, before):
            assert before == after
            continue
        old, new = api.weights(before), api.weights(after)
        others = [100 * w / sum(old) for w, item in zip(old, before, strict=True) if api.name(item) not in ARMS]
        kept = [100 * w / sum(new) for w, item in zip(new, after, strict=True) if api.name(item) not in ARMS]
        assert kept == pytest.approx(others, abs=1 if api is VirtualServices else 1e-9)
        assert api is HttpRoutes or sum(new) == 100
        share = sum(w for w, item in zip(new, after, strict=True) if api.name(item) in ARMS)
        canary = sum(w for w, item in zip(new, after, strict=True) if api.name(item) == "web-canary")
        assert canary == pytest.approx(share * traffic.weight / 100, abs=1)


@APIS
@given(st.data())
def test_entries_that_we_add_send_nobody_elsewhere(api, data):
    """What foreign destinations have, they have of testers' and returning visitors' requests too."""
    written = api.router.with_traffic(data.draw(documents(api)), ORDINARY, data.draw(traffics))
    own = {entry["mark"]: entry for entry in written["spec"][api.entries] if not api.is_added(entry)}
    for entry in filter(api.is_added, written["spec"][api.entries]):
        source = own[entry["mark"]][api.items]
        assert sum(api.weights(entry[api.items])) == sum(api.weights(source))
        assert [i for i in entry[api.items] if api.name(i) not in ARMS] == [
            i for i in source if api.name(i) not in ARMS
        ]
        assert len(_arms(api, entry[api.items])) == 1


@APIS
@given(st.data(), st.integers(0, 100))
def test_nothing_but_weights_and_our_destination_changes(api, data, weight):
    document = data.draw(documents(api))
    written = api.router.with_traffic(document, ORDINARY, Traffic(weight=weight))
    for route in filter(lambda route: _arms(api, route), _own_routes(written, api)):
        assert api.name(route.pop()) == "web-canary"
    bare = [deepcopy(document), written]
    for item in (item for each in bare for route in _own_routes(each, api) if _arms(api, route) for item in route):
        item.pop("weight", None)
    assert _exact(bare[0]) == _exact(bare[1])


@APIS
@given(st.data())
def test_a_patch_applies_and_begins_with_tests(api, data):
    live = data.draw(documents(api))
    desired = api.router.with_traffic(live, ORDINARY, data.draw(traffics))
    patch = json_patch(live, desired)
    assert jsonpatch.apply_patch(live, patch) == desired
    kinds = [operation["op"] for operation in patch]
    assert not patch or patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}
    assert "test" not in kinds[kinds.count("test") :]


@given(documents(VirtualServices), documents(VirtualServices))
def test_a_patch_leads_from_any_document_to_any_other(live, desired):
    assert jsonpatch.apply_patch(live, json_patch(live, desired)) == desired
