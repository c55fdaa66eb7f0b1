"""A real Envoy, fed with translations, in front of real servers."""

import asyncio
from collections import Counter

import pytest

from canary_analyzer.sandbox.mesh.envoy import EnvoyError
from canary_analyzer.sandbox.mesh.translate import translate
from canary_analyzer.sandbox.mesh.world import World


@pytest.fixture
def apply(envoy):
    async def put_in_force(world):
        snapshot = translate(world)
        envoy.publish_endpoints(snapshot.endpoints)
        await envoy.publish(snapshot.clusters, snapshot.routes)

    return put_in_force


@pytest.fixture
def ask(envoy, http):
    """Status and answering server of a request."""

    async def request(path="/", **headers):
        async with http.get(f"http://{envoy.ingress}{path}", headers=headers) as answer:
            return answer.status, answer.headers.get("x-app-version")

    return request


@pytest.fixture
async def cluster(make, backend):
    """A world of two Services with a server each, behind one VirtualService."""
    stable, canary = await backend("stable"), await backend("canary")

    def world(*route, without=()):
        services = {"app": stable, "app-canary": canary}
        kept = {name: port for name, port in services.items() if name not in without}
        rule = make.virtual_service("app", *route, hosts=["*"], gateways=["edge"])
        return World(
            services=[make.service(name) for name in kept],
            endpoints=[make.endpoints(name, ("127.0.0.1", port, name)) for name, port in kept.items()],
            pods=[make.pod(name, name) for name in kept],
            virtual_services=[rule],
            gateways=[make.gateway("edge", "*")],
        )

    return world


async def test_requests_are_split_by_weight(make, apply, ask, cluster):
    await apply(cluster({"route": [make.to("app", 80), make.to("app-canary", 20)]}))
    answers = Counter([(await ask())[1] for _ in range(600)])
    assert answers["canary"] / 600 == pytest.approx(0.2, abs=0.08)  # five standard deviations


async def test_the_canary_comes_and_goes_without_a_lost_request(make, apply, ask, cluster):
    alone = cluster({"route": [make.to("app")]}, without=["app-canary"])
    both = cluster({"route": [make.to("app", 50), make.to("app-canary", 50)]})
    statuses = Counter()
    await apply(alone)

    async def ask_on():
        while True:
            statuses[(await ask())[0]] += 1

    client = asyncio.create_task(ask_on())
    for _ in range(10):
        await apply(both)
        await apply(alone)
    client.cancel()
    assert set(statuses) == {200}


async def test_conditions_choose_the_route(make, apply, ask, cluster):
    beta = {"match": [{"headers": {"x-user": {"exact": "qa"}}}], "route": [make.to("app-canary")]}
    await apply(cluster(beta, {"route": [make.to("app")]}))
    assert (await ask(**{"x-user": "qa"}), await ask()) == ((200, "canary"), (200, "stable"))


async def test_a_service_without_a_healthy_host_answers_503(make, apply, ask, envoy, http, cluster):
    await apply(cluster({"route": [make.to("app-canary")]}, without=["app-canary"]))
    assert await ask() == (503, None)


async def test_a_refused_configuration_leaves_the_last_good_one_in_force(make, apply, ask, cluster):
    await apply(cluster({"route": [make.to("app")]}))
    bad = {"match": [{"uri": {"regex": "("}}], "route": [make.to("app-canary")]}
    with pytest.raises(EnvoyError, match="refused"):
        await apply(cluster(bad))
    assert await ask() == (200, "stable")
    await apply(cluster({"route": [make.to("app-canary")]}))
    assert await ask() == (200, "canary")


async def test_every_kind_of_action_is_one_that_envoy_accepts(make, apply, ask, cluster):
    def at(path, **http):
        return {"match": [{"uri": {"prefix": path}}], **http}

    app = [make.to("app")]
    await apply(
        cluster(
            at("/redirect", redirect={"uri": "/", "authority": "x", "scheme": "https", "port": 8443}),
            at("/direct", directResponse={"status": 418, "body": {"string": "tea"}}),
            at("/abort", route=app, fault={"abort": {"httpStatus": 555}}),
            at("/delay", route=app, fault={"delay": {"fixedDelay": "1ms", "percentage": {"value": 50}}}),
            at("/retry", route=app, retries={"attempts": 3, "retryOn": "5xx,503", "perTryTimeout": "1s"}),
            at("/mirror", route=app, mirror={"host": "app-canary"}, timeout="2s"),
            at("/rewrite", route=app, rewrite={"uri": "/", "authority": "inner"}),
            {
                "match": [{"uri": {"regex": "/r.x"}, "withoutHeaders": {"x-no": {"exact": "1"}}}],
                "route": app,
                "rewrite": {"uri": "/"},
            },
            {"route": app, "headers": {"request": {"set": {"x-a": "1"}, "add": {"x-b": "2"}, "remove": ["x-c"]}}},
        )
    )
    paths = ("/direct", "/abort", "/delay", "/retry", "/mirror", "/rewrite", "/rxx", "/")
    assert [(await ask(path))[0] for path in paths] == [418, 555, 200, 200, 200, 200, 200, 200]


async def test_metrics_name_workload_and_service_as_istio_does(make, apply, ask, envoy, http, cluster):
    await apply(cluster({"route": [make.to("app")]}))
    await ask()
    await ask(**{"content-type": "application/grpc"})
    async with http.get(f"http://{envoy.admin}/stats/prometheus", params={"filter": r"^istio\."}) as answer:
        lines = [line for line in (await answer.text()).splitlines() if line.startswith("envoy_istio_requests_total")]
    for protocol in ("http", "grpc"):
        (line,) = [each for each in lines if f'request_protocol="{protocol}"' in each]
        for label in (
            'reporter="source"',
            'source_workload="istio-ingressgateway"',
            'destination_workload="app"',
            'destination_service="app.default.svc.cluster.local"',
            'destination_service_name="app"',
            'response_code="200"',
        ):
            assert label in line
