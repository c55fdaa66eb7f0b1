import re

import pytest

from canary_analyzer.routing import ISTIO, Match, Sticky, Target, Traffic, Unroutable

TARGET = Target(namespace="shop", stable="web", canary="web-canary")
BROUGHT = Target(namespace="shop", stable="web", canary="web-canary", brought=True)
STICKY = Sticky(run="web-7", bounds=(5, 10, 25, 50))


def to(host="web", weight=None, **fields):
    return {"destination": {"host": host}, **fields} | ({} if weight is None else {"weight": weight})


def virtual_service(*http):
    return {"kind": "VirtualService", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"http": list(http)}}


PLAIN = virtual_service({"route": [to()]})


def http(document, traffic, target=TARGET):
    return ISTIO.with_traffic(document, target, traffic)["spec"]["http"]


def test_testers_have_an_entry_in_front_that_asks_for_their_header_as_well():
    document = virtual_service({"match": [{"uri": {"prefix": "/a"}}, {"port": 80}], "timeout": "5s", "route": [to()]})
    testers, everybody = http(document, Traffic(match=Match(headers={"x-tester": "yes"})))
    assert testers == {
        "match": [
            {"uri": {"prefix": "/a"}, "headers": {"x-tester": {"exact": "yes"}}},
            {"port": 80, "headers": {"x-tester": {"exact": "yes"}}},
        ],
        "timeout": "5s",
        "route": [to("web-canary", 100)],
        "name": "canary-analyzer-route",
    }
    assert everybody["match"] == document["spec"]["http"][0]["match"]
    assert everybody["route"] == [to("web", 100), to("web-canary", 0)]


@pytest.mark.parametrize(
    ("header", "meets"),
    [
        pytest.param("beta=yes", True, id="alone"),
        pytest.param("a=b; beta=yes", True, id="last"),
        pytest.param("a=b; beta=yes; c=d", True, id="in the middle"),
        pytest.param("beta=yes;c=d", True, id="without a space"),
        pytest.param("beta=yesterday", False, id="longer value"),
        pytest.param("alphabeta=yes", False, id="longer name"),
        pytest.param("beta=no", False, id="another value"),
    ],
)
def test_testers_are_told_by_a_cookie(header, meets):
    testers, _ = http(PLAIN, Traffic(match=Match(cookie=("beta", "yes"))))
    (condition,) = (alternative["headers"]["cookie"]["regex"] for alternative in testers["match"])
    assert bool(re.fullmatch(condition, header)) is meets


def test_copies_of_requests_go_to_the_canary_at_weight_0():
    (entry,) = http(PLAIN, Traffic(mirror=25))
    assert entry["mirror"] == {"host": "web-canary"}
    assert entry["mirrorPercentage"] == {"value": 25}
    assert entry["route"] == [to("web", 100), to("web-canary", 0)]


@pytest.mark.parametrize(
    ("weight", "canary", "stable"),
    [
        pytest.param(5, [5], [10, 25, 50, 100], id="first step"),
        pytest.param(25, [5, 10, 25], [50, 100], id="later"),
        pytest.param(50, [5, 10, 25, 50], [100], id="last"),
    ],
)
def test_a_bucket_of_sessions_moves_to_the_canary_when_the_weight_reaches_its_bound(weight, canary, stable):
    to_canary, to_stable, drawn = http(PLAIN, Traffic(weight=weight, sticky=STICKY))
    for entry, host, ends in ((to_canary, "web-canary", canary), (to_stable, "web", stable)):
        assert entry["route"] == [to(host, 100)]
        condition = entry["match"][0]["headers"]["cookie"]["regex"]
        met = [
            end
            for end in (5, 10, 25, 50, 100)
            if re.fullmatch(condition, f"x=y; {STICKY.set_cookie(end).split(';')[0]}")
        ]
        assert met == ends
    cookies = [
        (item["headers"]["response"]["add"]["Set-Cookie"].split(";")[0], item["destination"]["host"])
        for item in drawn["route"]
    ]
    ours = [(end, "web") for end in stable] + [(end, "web-canary") for end in canary]
    assert cookies == [(f"canary-analyzer=canary-analyzer.web-7.{end}", host) for end, host in ours]
    assert sum(item["weight"] for item in drawn["route"] if item["destination"]["host"] == "web-canary") == weight
    assert ISTIO.canary_weight({**PLAIN, "spec": {"http": [to_canary, to_stable, drawn]}}, TARGET) == weight


@pytest.mark.parametrize("weight", [0, 100])
def test_where_one_arm_has_everything_no_cookie_counts(weight):
    """An abort is ordinary routing at once, and a cookie of an ended run means nothing."""
    assert http(PLAIN, Traffic(weight=weight, sticky=STICKY)) == http(PLAIN, Traffic(weight=weight))


def test_the_applications_own_cookies_and_headers_stay():
    own = {"response": {"add": {"x": "y"}, "set": {"a": "b"}}}
    drawn = http(
        virtual_service({"route": [to(headers=own)]}), Traffic(weight=50, sticky=Sticky(run="r", bounds=(50,)))
    )[-1]
    for item in drawn["route"]:
        assert item["headers"]["response"]["set"] == {"a": "b"}
        assert item["headers"]["response"]["add"].keys() == {"x", "Set-Cookie"}


@pytest.mark.parametrize(
    ("mistaken", "named"),
    [
        pytest.param({"weight": 101}, ["weight: 101"], id="weight"),
        pytest.param({"weight": 60, "baseline": 60}, ["weight [+] baseline"], id="more than all"),
        pytest.param({"mirror": -1, "match": Match()}, ["mirror: -1", "match: it has no condition"], id="several"),
        pytest.param({"match": Match(headers={"Cookie": "a=b"})}, ["use match.cookie"], id="cookie as a header"),
        pytest.param({"match": Match(headers={"A": "1", "a": "2"})}, ["named twice"], id="one header twice"),
        pytest.param({"weight": 7, "sticky": STICKY}, ["7 is not among"], id="weight without a bucket"),
        pytest.param({"weight": 5, "baseline": 5, "sticky": STICKY}, ["fresh baseline"], id="three arms and cookies"),
    ],
)
def test_traffic_that_cannot_be_meant_is_refused_with_all_mistakes(mistaken, named):
    with pytest.raises(ValueError, match=".*".join(named)):
        Traffic(**mistaken)


HEADER = Traffic(match=Match(headers={"X-User": "me"}))
STUCK = Traffic(weight=5, sticky=STICKY)


@pytest.mark.parametrize(
    ("entry", "wanted", "paths"),
    [
        pytest.param({"mirror": {"host": "x"}}, Traffic(mirror=10), ["spec.http[0]"], id="a mirror of the user's"),
        pytest.param({"mirrors": []}, Traffic(mirror=10), ["spec.http[0]"], id="mirrors of the user's"),
        pytest.param(
            {"match": [{"headers": {"x-user": {"exact": "a"}}}]}, HEADER, ["spec.http[0].match"], id="same header"
        ),
        pytest.param({"match": [{"headers": {"cookie": {"exact": "a"}}}]}, STUCK, ["spec.http[0].match"], id="cookies"),
        pytest.param(
            {"headers": {"response": {"remove": ["set-cookie"]}}},
            STUCK,
            ["spec.http[0].headers.response"],
            id="removed",
        ),
        pytest.param(
            {"route": [to(headers={"response": {"add": {"set-cookie": "a=b"}}})]},
            STUCK,
            ["spec.http[0].route[0]"],
            id="its own",
        ),
        pytest.param(
            {"match": [{"headers": {"x-user": {"exact": "a"}}}]}, STUCK, [], id="another header is no obstacle"
        ),
        pytest.param({"headers": {"response": {"remove": ["x"]}}}, STUCK, [], id="nor is another operation"),
    ],
)
def test_a_step_that_an_entry_cannot_take_is_refused_before_the_run(entry, wanted, paths):
    document = virtual_service({"route": [to()], **entry})
    if not paths:
        assert ISTIO.select([document], TARGET, [wanted]) == (document,)
        return
    with pytest.raises(Unroutable) as caught:
        ISTIO.select([document], TARGET, [Traffic(), wanted, wanted])
    assert [problem.path for problem in caught.value.problems] == paths


def test_a_mirror_to_a_canary_that_the_user_brought_is_his():
    document = virtual_service({"route": [to(weight=100), to("web-canary", 0)], "mirror": {"host": "web-canary"}})
    assert http(document, Traffic(weight=30), BROUGHT) == [
        {"route": [to(weight=70), to("web-canary", 30)], "mirror": {"host": "web-canary"}}
    ]
    with pytest.raises(Unroutable, match="canary that you brought"):
        ISTIO.select([document], BROUGHT, [Traffic(mirror=5)])
