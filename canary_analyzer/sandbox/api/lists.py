"""How lists and maps of the built-in types merge.

The facts are those of `x-kubernetes-patch-merge-key`, `x-kubernetes-list-map-keys`, `x-kubernetes-list-type: set` and
`x-kubernetes-map-type: atomic` in Kubernetes' OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ListRule:
    """How the items of a list are told apart.

    Args:
        merge: the field that identifies an item in a strategic-merge patch; empty for a set of primitives.
        keys: the fields that identify an item in a server-side apply.
        defaults: what a missing key stands for.
    """

    merge: str = ""
    keys: tuple[str, ...] = ()
    defaults: tuple[tuple[str, Any], ...] = ()

    def identity(self, item: Any) -> tuple[Any, ...]:
        """What tells this item from others, by `keys`; a primitive is its own identity."""
        if not self.keys:
            return (item,)
        defaults = dict(self.defaults)
        return tuple(item.get(key, defaults.get(key)) for key in self.keys)


def _by(key: str) -> ListRule:
    return ListRule(merge=key, keys=(key,))


SET = ListRule()
_TCP = (("protocol", "TCP"),)

_RULES: dict[Path, ListRule] = {
    ("containers",): _by("name"),
    ("initContainers",): _by("name"),
    ("ephemeralContainers",): _by("name"),
    ("containers", "ports"): ListRule(merge="containerPort", keys=("containerPort", "protocol"), defaults=_TCP),
    ("initContainers", "ports"): ListRule(merge="containerPort", keys=("containerPort", "protocol"), defaults=_TCP),
    ("spec", "ports"): ListRule(merge="port", keys=("port", "protocol"), defaults=_TCP),
    ("env",): _by("name"),
    ("volumes",): _by("name"),
    ("volumeMounts",): _by("mountPath"),
    ("volumeDevices",): _by("devicePath"),
    ("imagePullSecrets",): _by("name"),
    ("hostAliases",): _by("ip"),
    ("topologySpreadConstraints",): ListRule(merge="topologyKey", keys=("topologyKey", "whenUnsatisfiable")),
    ("conditions",): _by("type"),
    ("podIPs",): _by("ip"),
    ("hostIPs",): _by("ip"),
    ("ownerReferences",): _by("uid"),
    ("finalizers",): SET,
}

_CUSTOM_RULES: dict[Path, ListRule] = {("metadata", "ownerReferences"): _by("uid"), ("metadata", "finalizers"): SET}

_ATOMIC_MAPS = frozenset(
    {"selector", "nodeSelector", "podSelector", "namespaceSelector", "labelSelector", "fieldRef", "resourceFieldRef"}
    | {"configMapKeyRef", "secretKeyRef", "involvedObject", "targetRef", "roleRef"}
)


def list_rule(path: Sequence[str], custom: bool) -> ListRule | None:
    """The rule for the list at `path` (field names only, no list positions); None: the list is replaced as a whole."""
    rules = _CUSTOM_RULES if custom else _RULES
    return rules.get(tuple(path[-2:])) or (None if custom else rules.get(tuple(path[-1:])))


def atomic_map(path: Sequence[str], custom: bool) -> bool:
    """Whether server-side apply owns the map at `path` as a whole."""
    return not custom and path[-1] in _ATOMIC_MAPS
