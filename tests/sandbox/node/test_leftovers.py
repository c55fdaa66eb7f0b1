from canary_analyzer.sandbox import api
from canary_analyzer.sandbox.client import PODS, KubeClient
from canary_analyzer.sandbox.node import disown


def make_pod(name, node):
    spec = {"nodeName": node, "containers": [{"name": "app", "image": "app:v1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def test_pods_of_a_node_that_died_are_not_ready_and_those_of_others_are_not_touched(tmp_path):
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    async with api.ApiServer() as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        async with KubeClient.from_kubeconfig(tmp_path / "kubeconfig") as client:
            for name, node in (("mine", "sandbox"), ("foreign", "elsewhere")):
                await client.create(PODS, make_pod(name, node))
                await client.patch_status(PODS, "default", name, {"status": {"conditions": [ready]}})
            await disown(client, "sandbox")
            conditions = [
                {
                    each["type"]: each["status"]
                    for each in (await client.get(PODS, "default", name))["status"]["conditions"]
                }
                for name in ("mine", "foreign")
            ]
    assert conditions == [{"Ready": "False", "ContainersReady": "False"}, {"Ready": "True"}]
