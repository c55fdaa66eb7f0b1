"""A real Envoy, fed with translations, in front of real servers."""

import asyncio
from collections import Counter

import pytest

from canary_analyzer.sandbox.mesh.dialects import Metrics
from canary_analyzer.sandbox.mesh.envoy import Envoy, EnvoyError
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


async def counted(envoy, http, name):
    """The lines of a counter; a statistic that has its name already goes without one more."""
    async with http.get(f"http://{envoy.admin}/stats/prometheus") as answer:
        return [line for line in (await answer.text()).splitlines() if line.startswith(f"envoy_{name}{{")]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    ("reporter", "labels"),
    [
        ("source", ['pod="istio-ingressgateway-7c9f8d6b5-2xkqp"', 'namespace="istio-system"']),
        ("destination", ['pod="app"', 'namespace="default"', 'pod_template_hash="5d8f"']),
    ],
)
async def test_metrics_name_workload_service_and_pod_as_istio_does(
    make, apply, ask, envoy, http, cluster, protocol, reporter, labels
):
    await apply(cluster({"route": [make.to("app")]}))
    await ask(**{"content-type": "application/grpc" if protocol == "grpc" else "text/plain"})
    (line,) = [each for each in await counted(envoy, http, "istio_requests_total") if f'reporter="{reporter}"' in each]
    for label in (
        *labels,
        f'request_protocol="{protocol}"',
        'source_workload="istio-ingressgateway"',
        'destination_workload="app"',
        'destination_service="app.default.svc.cluster.local"',
        'destination_service_name="app"',
        'response_code="200"',
    ):
        assert label in line


async def test_the_destination_counts_every_attempt_and_the_source_the_request(make, apply, ask, envoy, http, cluster):
    retried = {"route": [make.to("app")], "retries": {"attempts": 2, "retryOn": "retriable-status-codes,200"}}
    await apply(cluster(retried))
    await ask()
    counts = {
        reporter: [line.split()[-1] for line in await counted(envoy, http, "istio_requests_total") if reporter in line]
        for reporter in ('reporter="source"', 'reporter="destination"')
    }
    assert list(counts.values()) == [["1"], ["3"]]


async def test_a_client_in_the_mesh_is_another_source_than_the_gateway(make, apply, envoy, http, cluster):
    await apply(cluster({"route": [make.to("app-canary")]}))
    async with http.get(f"http://{envoy.sidecar}/", headers={"Host": "app"}) as answer:
        assert answer.headers["x-app-version"] == "stable"
    lines = await counted(envoy, http, "istio_requests_total")
    assert all('source_workload="client"' in line for line in lines)


async def test_mirrored_requests_are_counted_where_they_arrive_and_nowhere_else(make, apply, ask, envoy, http, cluster):
    await apply(cluster({"route": [make.to("app")], "mirrors": [{"destination": {"host": "app-canary"}}]}))
    assert (await ask())[1] == "stable"

    async def canary():
        lines = await counted(envoy, http, "istio_requests_total")
        return [line for line in lines if 'destination_workload="app-canary"' in line]

    async with asyncio.timeout(10):  # a copy goes its own way
        while not (lines := await canary()):
            await asyncio.sleep(0.01)
    (line,) = lines
    assert all(label in line for label in ('reporter="destination"', 'pod="app-canary"', 'response_code="200"'))


async def test_the_linkerd_dialect_counts_responses_at_both_ends(make, tmp_path, http, cluster):
    async with Envoy.running(tmp_path / "linkerd", http, Metrics.LINKERD) as proxy:
        snapshot = translate(cluster({"route": [make.to("app")]}))
        proxy.publish_endpoints(snapshot.endpoints)
        await proxy.publish(snapshot.clusters, snapshot.routes)
        async with http.get(f"http://{proxy.ingress}/"):
            lines = sorted(await counted(proxy, http, "linkerd_response_total"))
        buckets = await counted(proxy, http, "linkerd_response_latency_ms_bucket")
    inbound, outbound = lines
    assert all(label in inbound for label in ('direction="inbound"', 'deployment="app"', 'status_code="200"'))
    assert all(label in outbound for label in ('direction="outbound"', 'dst_deployment="app"', 'dst_pod="app"'))
    assert any('le="20"' in line for line in buckets)
    assert not any('le="25"' in line for line in buckets)


async def test_an_answer_of_the_proxy_itself_names_the_cause(make, apply, envoy, http, cluster):
    await apply(cluster({"route": [make.to("app-canary")]}, without=["app-canary"]))
    async with http.get(f"http://{envoy.ingress}/") as answer:
        assert (answer.status, answer.headers["x-sandbox-cause"]) == (503, "NC")
