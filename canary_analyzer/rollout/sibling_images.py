"""Container images of a Deployment or pod template: read, replaced, and the fingerprint of a template."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy

from canary_analyzer.rollout.labels import SiblingProblem
from canary_analyzer.routing.documents import Document


def container_images(document: Document) -> dict[str, str]:
    """Image by container name, in the order of the template; init containers are not among them."""
    return {container["name"]: container.get("image", "") for container in _template(document)["spec"]["containers"]}


def with_images(document: Document, images: Mapping[str, str]) -> Document:
    """A copy of a Deployment or pod template in which the named containers have these images.

    Raises:
        SiblingProblem: there is no container of such a name; names them all.
    """
    known = container_images(document)
    missing = [name for name in images if name not in known]
    if missing:
        raise SiblingProblem(
            f"There is no container {', '.join(missing)} in the pod template", f"Use one of: {', '.join(known)}"
        )
    copied = deepcopy(document)
    for container in _template(copied)["spec"]["containers"]:
        container["image"] = images.get(container["name"], container.get("image", ""))
    return copied


def template_hash(deployment: Document) -> str:
    """16 hexadecimal digits that change when anything in the pod template does; the order of keys does not count."""
    canonical = json.dumps(_template(deployment), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _template(document: Document) -> Document:
    template: Document = document["spec"].get("template", document)
    return template
