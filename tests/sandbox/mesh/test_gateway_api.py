"""HTTPRoutes in a real Envoy: what a request gets, not how the configuration looks."""

from collections import Counter

import pytest

from canary_analyzer.sandbox.mesh.translate import translate
from canary_analyzer.sandbox.mesh.world import World

GATEWAY = {
    "metadata": {"name": "edge", "namespace": "default"},
    "spec": {"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
}


def http_route(*rules, parent=None, **spec):
    metadata = {"name": "app", "namespace": "default"}
    return {"metadata": metadata, "spec": {"parentRefs": [parent or {"name": "edge"}], "rules": list(rules), **spec}}


def to(*names, **weights):
    return {"backendRefs": [{"name": name, "port": 80, "weight": weights.get(name, 1)} for name in names]}


def at(path, kind="PathPrefix", **more):
    return {"matches": [{"path": {"type": kind, "value": path}, **more}]}


def filtered(kind, **filter_):
    field = {"URLRewrite": "urlRewrite"}.get(kind, kind[0].lower() + kind[1:])
    return {"filters": [{"type": kind, field: filter_}]}


@pytest.fixture
async def apply(make, envoy, backend):
    ports = {name: await backend(name) for name in ("stable", "canary")}

    async def put_in_force(*routes, gateways=(GATEWAY,)):
        world = World(
            services=[make.service(name) for name in ports],
            endpoints=[make.endpoints(name, ("127.0.0.1", port, name)) for name, port in ports.items()],
            pods=[make.pod(name, name) for name in ports],
            http_routes=routes,
            api_gateways=gateways,
        )
        snapshot = translate(world)
        envoy.publish_endpoints(snapshot.endpoints)
        await envoy.publish(snapshot.clusters, snapshot.routes)
        return snapshot

    return put_in_force


@pytest.fixture
def ask(envoy, http):
    async def request(path="/", **headers):
        async with http.get(f"http://{envoy.ingress}{path}", headers=headers, allow_redirects=False) as answer:
            return answer, (await answer.json()) if answer.content_type == "application/json" else {}

    return request


async def who(ask, path="/", **headers):
    answer, seen = await ask(path, **headers)
    return seen.get("name", answer.status)


async def test_backends_get_their_weights_and_one_is_the_default(apply, ask):
    await apply(http_route(to("stable", "canary", stable=4)))
    answers = Counter([await who(ask) for _ in range(300)])
    assert answers["canary"] / 300 == pytest.approx(0.2, abs=0.12)


async def test_the_most_specific_condition_wins_whatever_the_order(apply, ask):
    beta = {"headers": [{"name": "cookie", "type": "RegularExpression", "value": ".*user=qa.*"}]}
    await apply(
        http_route(
            {**at("/"), **to("stable")},
            {**at("/", **beta), **to("canary")},
            {**at("/a"), **to("canary")},
            {**at("/a/b", kind="Exact"), **to("stable")},
        )
    )
    paths = ["/", "/a", "/a/c", "/ab", "/a/b"]
    assert [await who(ask, path) for path in paths] == ["stable", "canary", "canary", "stable", "stable"]
    assert await who(ask, "/", cookie="x=1; user=qa") == "canary"


async def test_a_rule_without_a_backend_that_may_be_used_answers_500(apply, ask):
    await apply(http_route({**at("/none")}, {**at("/zero"), **to("stable", stable=0)}, to("stable")))
    assert [await who(ask, path) for path in ("/none", "/zero", "/")] == [500, 500, "stable"]


@pytest.mark.parametrize(
    ("prefix", "target", "asked", "seen"),
    [
        ("/a", "/b", "/a/c", "/b/c"),
        ("/a", "/b", "/a", "/b"),
        ("/a", "/", "/a/c", "/c"),
        ("/a", "/", "/a", "/"),
        ("/", "/b", "/c", "/b/c"),
    ],
)
async def test_a_prefix_is_rewritten_by_whole_segments(apply, ask, prefix, target, asked, seen):
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": target}
    await apply(http_route({**at(prefix), **to("stable"), **filtered("URLRewrite", path=path)}))
    assert (await ask(asked))[1]["path"] == seen


async def test_headers_are_changed_for_the_rule_and_for_one_backend(apply, ask):
    backend = {
        "name": "stable",
        "port": 80,
        **filtered("ResponseHeaderModifier", set=[{"name": "x-arm", "value": "s"}]),
    }
    rule = {"backendRefs": [backend], **filtered("RequestHeaderModifier", add=[{"name": "X-In", "value": "1"}])}
    await apply(http_route(rule))
    answer, seen = await ask()
    assert (answer.headers["x-arm"], seen["headers"]["x-in"]) == ("s", "1")


async def test_redirects_and_mirrors_are_accepted(apply, ask):
    mirror = filtered("RequestMirror", backendRef={"name": "canary", "port": 80}, percent=50)
    redirect = filtered("RequestRedirect", hostname="x", path={"type": "ReplaceFullPath", "replaceFullPath": "/y"})
    await apply(http_route({**at("/go"), **redirect}, {**to("stable"), **mirror, "timeouts": {"request": "2s"}}))
    answer, _ = await ask("/go")
    assert (answer.status, answer.headers["location"]) == (302, "http://x/y")
    assert await who(ask) == "stable"


async def test_a_route_of_a_service_governs_its_name_in_the_mesh(apply, envoy, http):
    await apply(http_route(to("canary"), parent={"kind": "Service", "group": "", "name": "stable"}))
    async with http.get(f"http://{envoy.sidecar}/", headers={"Host": "stable"}) as answer:
        assert answer.headers["x-app-version"] == "canary"


async def test_a_gateway_of_another_namespace_must_let_the_route_in(apply, ask):
    closed = {**GATEWAY, "metadata": {"name": "edge", "namespace": "infra"}}
    listener = {**GATEWAY["spec"]["listeners"][0], "allowedRoutes": {"namespaces": {"from": "All"}}}
    route = http_route(to("stable"), parent={"name": "edge", "namespace": "infra"})
    await apply(route, gateways=[closed])
    assert await who(ask) == 404
    await apply(route, gateways=[{**closed, "spec": {"listeners": [listener]}}])
    assert await who(ask) == "stable"
