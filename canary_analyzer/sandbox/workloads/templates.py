"""Pod templates, their hashes, and the revisions of a Deployment."""

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from canary_analyzer.sandbox.client import Document

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What a Deployment does not hand down to its ReplicaSets.
NOT_COPIED = frozenset({REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, LAST_APPLIED})
# Letters that spell no word by accident, as in Kubernetes' names.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
FNV_OFFSET, FNV_PRIME = 0x811C9DC5, 0x01000193


def template_hash(template: Document, salt: int) -> str:
    """A short name of a template: FNV-1a of its canonical JSON; `salt` gives another name to the same template."""
    value = FNV_OFFSET
    for byte in json.dumps([template, salt], sort_keys=True).encode():
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return "".join(ALPHABET[int(digit) % len(ALPHABET)] for digit in str(value))


def without_hash(template: Document) -> Document:
    """The template as the user wrote it."""
    labels = template.get("metadata", {}).get("labels") or {}
    if HASH_LABEL not in labels:
        return template
    rest = {name: value for name, value in labels.items() if name != HASH_LABEL}
    return template | {"metadata": template["metadata"] | {"labels": rest}}


def revision(document: Document) -> int:
    """The revision number that an object carries, 0 when it carries none."""
    return int((document["metadata"].get("annotations") or {}).get(REVISION, 0))


def current(deployment: Document, replicasets: Iterable[Document]) -> Document | None:
    """The ReplicaSet that runs the Deployment's template: the oldest, should there be several."""
    wanted = _comparable(deployment["spec"]["template"])
    return next((each for each in replicasets if _comparable(each["spec"]["template"]) == wanted), None)


def _comparable(template: Document) -> Any:
    # An empty list or map and a missing one are the same to the API; which is written depends on the server.
    def pruned(value: Any) -> Any:
        if isinstance(value, Mapping):
            kept = {name: pruned(each) for name, each in value.items()}
            return {name: each for name, each in kept.items() if each not in (None, {}, [])}
        return [pruned(each) for each in value] if isinstance(value, list) else value

    return pruned(without_hash(template))


def next_revision(replicasets: Sequence[Document], new: Document | None) -> int:
    """The number of the newest revision: above that of every old ReplicaSet."""
    return max((revision(each) for each in replicasets if each is not new), default=0) + 1


def copied_annotations(deployment: Document) -> dict[str, str]:
    """The Deployment's annotations that its ReplicaSets carry too."""
    annotations: Mapping[str, str] = deployment["metadata"].get("annotations") or {}
    return {name: value for name, value in annotations.items() if name not in NOT_COPIED}


def labelled(template: Document, digest: str) -> Document:
    """The template with its hash among the labels."""
    copy = deepcopy(template)
    copy.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = digest
    return copy
