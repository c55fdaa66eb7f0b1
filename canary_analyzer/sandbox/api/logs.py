"""`pods/log`: passed on to the pod's node, as a real API server does.

Source: https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.33/#read-log-pod-v1-core
"""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp import web

from canary_analyzer.sandbox.api.errors import ApiError, bad_request

Document = dict[str, Any]


def source(pod: Document, node: Document | None, container: str) -> str:
    """Where a container's log is.

    Raises:
        ApiError: 400 when it is not clear which container is meant or it has never run, 503 when its node is not there.
    """
    name = _chosen(pod, container)
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    status: Document = next((each for each in statuses if each["name"] == name), {})
    waiting = (status.get("state") or {}).get("waiting")
    if not status or (waiting and not status.get("lastState")):
        why = (waiting or {}).get("reason", "ContainerCreating")
        raise bad_request(f'container "{name}" in pod "{pod["metadata"]["name"]}" is waiting to start: {why}')
    port = ((((node or {}).get("status") or {}).get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    if port is None:
        raise ApiError(503, "ServiceUnavailable", f'the node of pod "{pod["metadata"]["name"]}" gives no logs')
    return f"http://127.0.0.1:{port}/containerLogs/{pod['metadata']['namespace']}/{pod['metadata']['name']}/{name}"


def _chosen(pod: Document, container: str) -> str:
    names = [each["name"] for each in pod["spec"]["containers"]]
    if container in names:
        return container
    name = pod["metadata"]["name"]
    if container:
        raise bad_request(f"container {container} is not valid for pod {name}")
    if len(names) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
    return str(names[0])


async def relay(request: web.Request, url: str) -> web.StreamResponse:
    """Answer with what the node answers, as it comes."""
    unlimited = aiohttp.ClientTimeout(total=None, sock_connect=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=unlimited) as session,
            session.get(url, params=request.query) as answer,
        ):
            if answer.status != 200:
                raise bad_request(await answer.text())
            response = web.StreamResponse(headers={"Content-Type": "text/plain"})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response
    except aiohttp.ClientConnectorError as error:
        raise ApiError(503, "ServiceUnavailable", f"the node does not answer: {error}") from error
