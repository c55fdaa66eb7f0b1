"""The loop: every pod in the API has a runner here, and no other."""

import asyncio
import logging
from typing import Any

import aiohttp

from canary_analyzer.sandbox.client import PODS, ApiError, KubeClient, Mirror
from canary_analyzer.sandbox.images import Images
from canary_analyzer.sandbox.node import logs
from canary_analyzer.sandbox.node.addresses import Addresses
from canary_analyzer.sandbox.node.container import Place
from canary_analyzer.sandbox.node.launch import first_port
from canary_analyzer.sandbox.node.pod import Pod
from canary_analyzer.sandbox.node.reaper import Reaper
from canary_analyzer.sandbox.node.registration import keep_registered

Document = dict[str, Any]
log = logging.getLogger(__name__)

NODE_NAME = "sandbox"


async def run(client: KubeClient, images: Images) -> None:
    """Run the pods of all namespaces until cancelled; no process and no file is left then."""
    mirror = Mirror(client, PODS)
    async with Reaper() as reaper, asyncio.TaskGroup() as group:
        group.create_task(mirror.run())
        await mirror.synced()
        agent = Agent(client, images, reaper)
        async with logs.serving(reaper.directory, agent.uid_of) as port:
            group.create_task(keep_registered(client, NODE_NAME, port))
            while True:
                agent.look(list(mirror.objects.values()), group)
                await mirror.changed()


class Agent:
    """Which pods run here."""

    def __init__(self, client: KubeClient, images: Images, reaper: Reaper) -> None:
        self._client, self._images, self._reaper = client, images, reaper
        self._addresses = Addresses()
        self._pods: dict[str, Pod] = {}

    def look(self, documents: list[Document], group: asyncio.TaskGroup) -> None:
        """Start what is new, tell runners what has changed, end what has gone.

        A runner is remembered until its pod is gone from the API, else a late look would start the pod again.
        """
        mine = {each["metadata"]["uid"]: each for each in documents if _is_mine(each)}
        for uid, document in mine.items():
            if uid not in self._pods:
                self._pods[uid] = Pod(self._client, document, self._place(document))
                group.create_task(self._run(self._pods[uid], document))
            self._pods[uid].observe(document)
        for uid in self._pods.keys() - mine.keys():
            self._pods.pop(uid).vanish()

    def uid_of(self, namespace: str, name: str) -> str | None:
        """The uid of the pod that runs here under that name, if one does."""
        return next((uid for uid, pod in self._pods.items() if pod.name == (namespace, name)), None)

    def _place(self, document: Document) -> Place:
        ports = {first_port(container) for container in document["spec"]["containers"]}
        address = self._addresses.take(ports)
        return Place(images=self._images, address=address, directory=self._reaper.directory, mark=self._reaper.mark)

    async def _run(self, pod: Pod, document: Document) -> None:
        metadata = document["metadata"]
        try:
            if not document["spec"].get("nodeName"):
                await self._client.bind(metadata["namespace"], metadata["name"], NODE_NAME)
            await pod.run()
        except (ApiError, aiohttp.ClientError) as error:
            log.warning("pod %s/%s: %s", metadata["namespace"], metadata["name"], error)
        finally:
            self._addresses.give_back(pod.address)


def _is_mine(pod: Document) -> bool:
    return pod["spec"].get("nodeName", NODE_NAME) == NODE_NAME and _unfinished(pod)


def _unfinished(pod: Document) -> bool:
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
