"""The agent between an API server and a proxy that only remembers what it was told."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from canary_analyzer.sandbox import api
from canary_analyzer.sandbox.client import SERVICES, VIRTUALSERVICES, KubeClient
from canary_analyzer.sandbox.mesh.agent import Delay, MeshAgent, parse_delay


class Proxy:
    def __init__(self):
        self.told = []

    def publish_endpoints(self, assignments):
        self.endpoints = assignments

    async def publish(self, _, routes):
        hosts = routes["sidecar"]["virtual_hosts"]
        self.told.append(sorted(each["domains"][0] for each in hosts if each["name"].endswith("local")))


@pytest.fixture
async def client(tmp_path):
    async with api.ApiServer() as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        async with KubeClient.from_kubeconfig(tmp_path / "kubeconfig") as client:
            yield client


@asynccontextmanager
async def running(client, delay):
    proxy = Proxy()
    agent = MeshAgent(client, proxy, delay)
    task = asyncio.create_task(agent.run())
    yield agent, proxy
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def full(*names):
    return [f"{name}.default.svc.cluster.local" for name in names]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def add(client, make, name):
    await client.create(SERVICES, {**make.service(name), "apiVersion": "v1", "kind": "Service"})


async def test_of_several_changes_an_older_one_never_overtakes_a_newer_one(client, make):
    async with running(client, Delay()) as (agent, proxy):
        await until(lambda: proxy.told == [[]])
        agent.set_delay(Delay(least=3600, most=3600))
        await add(client, make, "a")
        await until(lambda: len(proxy.endpoints) == 1)
        assert proxy.told == [[]]
        agent.set_delay(Delay())
        await add(client, make, "b")
        await until(lambda: proxy.told == [[], full("a", "b")])


async def test_endpoints_are_never_held_back(client, make):
    async with running(client, Delay(least=3600, most=3600)) as (_, proxy):
        await add(client, make, "a")
        await until(lambda: getattr(proxy, "endpoints", {}))
        assert proxy.told == []


async def test_what_has_no_effect_is_shown(client, make):
    rule = make.virtual_service("app", {"corsPolicy": {}, "route": [make.to("app")]}, hosts=["app"])
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    async with running(client, Delay()) as (agent, _):
        await client.create(VIRTUALSERVICES, {**kind, **rule})
        await until(lambda: agent.problems)
    assert "corsPolicy" in agent.problems[0]


@pytest.mark.parametrize(
    ("text", "bounds"), [("0", (0, 0)), ("2", (2, 2)), ("0.1-10", (0.1, 10))], ids=["none", "fixed", "range"]
)
def test_delays_as_they_are_written(text, bounds):
    delay = parse_delay(text, seed=7)
    assert (delay.least, delay.most, delay.seed) == (*bounds, 7)


@pytest.mark.parametrize("text", ["", "-1", "10-1", "soon", "inf", "nan"])
def test_a_delay_that_is_none_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  (float has its own words)
        parse_delay(text)
