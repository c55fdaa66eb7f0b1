"""URL paths of resources: /api/v1/..., /apis/GROUP/VERSION/[namespaces/NAMESPACE/]PLURAL[/NAME[/SUBRESOURCE]]."""

from __future__ import annotations

from canary_analyzer.sandbox.api.errors import no_such_path
from canary_analyzer.sandbox.api.requests import Target
from canary_analyzer.sandbox.api.resources import Registry


def parse(path: str, registry: Registry) -> Target:
    """What a path speaks about.

    Raises:
        ApiError: 404 when nothing is served there.
    """
    steps = path.strip("/").split("/")
    if steps[0] == "api" and len(steps) > 2:
        return _resource("", steps[1], steps[2:], registry)
    if steps[0] == "apis" and len(steps) > 3:
        return _resource(steps[1], steps[2], steps[3:], registry)
    raise no_such_path()


def _resource(group: str, version: str, steps: list[str], registry: Registry) -> Target:
    namespace = ""
    if steps[0] == "namespaces" and len(steps) > 2 and steps[2] not in ("status", "finalize"):
        namespace, steps = steps[1], steps[2:]
    resource = registry.find(group, version, steps[0])
    name, subresource = (*steps[1:], "", "")[:2]
    if resource is None or len(steps) > 3 or (namespace and not resource.namespaced):
        raise no_such_path()
    if subresource and subresource not in resource.subresources:
        raise no_such_path()
    if name and resource.namespaced and not namespace:
        raise no_such_path()
    return Target(resource=resource, version=version, namespace=namespace, name=name, subresource=subresource)
