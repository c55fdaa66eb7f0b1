import json
from copy import deepcopy

import pytest

from canary_analyzer.routing import ISTIO, Target, Traffic

TARGET = Target(namespace="shop", stable="web", canary="web-canary")


def with_weight(document, target, weight):
    return ISTIO.with_traffic(document, target, Traffic(weight=weight))


def virtual_service(*routes):
    http = [{"route": [{"destination": {"host": host}} | weight for host, weight in route]} for route in routes]
    return {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "1"}, "spec": {"http": http}}


def routes(document):
    return [
        [(item["destination"]["host"], item.get("weight")) for item in entry["route"]]
        for entry in document["spec"]["http"]
    ]


SINGLE = virtual_service([("web", {})])


def test_an_untouched_route_comes_back_byte_for_byte():
    written = with_weight(SINGLE, TARGET, 40)
    assert json.dumps(ISTIO.restored(written, SINGLE, TARGET)) == json.dumps(SINGLE)


def test_metadata_is_what_the_api_has_now():
    written = with_weight(SINGLE, TARGET, 40)
    live = written | {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "9"}}
    assert ISTIO.restored(live, SINGLE, TARGET) == SINGLE | {"metadata": live["metadata"]}


def test_weights_in_parts_come_back_in_parts():
    parts = virtual_service([("web", {"weight": 1}), ("api", {"weight": 2})])
    live = with_weight(parts, TARGET, 40)
    live["spec"]["hosts"] = ["added by somebody"]
    assert routes(ISTIO.restored(live, parts, TARGET)) == [[("web", 1), ("api", 2)]]


@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        pytest.param([("web", 50), ("web-canary", 50)], [("web", None)], id="weight moved between ours"),
        pytest.param(
            [("web", 50), ("web-canary", 10), ("api", 40)], [("web", 60), ("api", 40)], id="destination added"
        ),
        pytest.param([("web", None)], [("web", None)], id="reverted"),
        pytest.param([("api", 90), ("web-canary", 10)], [("api", 90), ("web", 10)], id="stable taken out"),
        pytest.param([("api", None)], [("api", None)], id="sent elsewhere"),
    ],
)
def test_what_others_made_of_the_destinations_stays_and_only_ours_goes(edited, expected):
    live = virtual_service([(host, {} if weight is None else {"weight": weight}) for host, weight in edited])
    assert routes(ISTIO.restored(live, SINGLE, TARGET)) == [expected]


def test_an_edit_made_before_our_last_write_is_kept():
    """The last write then equals what is live, and putting the snapshot back would undo somebody's work."""
    live = with_weight(SINGLE, TARGET, 10)
    live["spec"]["http"].insert(0, {"redirect": {"uri": "/"}})
    live = with_weight(live, TARGET, 50)
    assert ISTIO.restored(live, SINGLE, TARGET)["spec"]["http"] == [
        {"redirect": {"uri": "/"}},
        *SINGLE["spec"]["http"],
    ]


def test_one_edited_route_does_not_spoil_the_others():
    two = virtual_service([("web", {})], [("web", {})])
    live = with_weight(two, TARGET, 10)
    live["spec"]["http"][1]["route"].append({"destination": {"host": "api"}, "weight": 100})
    assert routes(ISTIO.restored(live, two, TARGET)) == [[("web", None)], [("web", 100), ("api", 100)]]


def test_the_snapshot_is_not_shared_with_the_answer():
    written, snapshot = with_weight(SINGLE, TARGET, 40), deepcopy(SINGLE)
    ISTIO.restored(written, snapshot, TARGET)["spec"]["http"].clear()
    assert snapshot == SINGLE
