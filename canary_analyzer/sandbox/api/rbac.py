"""Role-based access control: who may do what, by the roles and bindings in the store.

Follows plugin/pkg/auth/authorizer/rbac; what each user may anyway is that of system:basic-user and system:discovery.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from canary_analyzer.sandbox.api.bodies import APPLY_PATCH
from canary_analyzer.sandbox.api.errors import ApiError, forbidden
from canary_analyzer.sandbox.api.identities import MASTERS, Identity
from canary_analyzer.sandbox.api.requests import Target
from canary_analyzer.sandbox.api.resources import RBAC
from canary_analyzer.sandbox.api.store import Store

Document = dict[str, Any]
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody wants to do; `resource` may have a subresource behind a slash, a namespace is empty for all."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


def wish_of(method: str, target: Target, query: Mapping[str, str]) -> Wish:
    """What a request to a resource wants; a Namespace lies in itself."""
    resource = "/".join(filter(None, (target.resource.plural, target.subresource)))
    namespace = target.name if target.resource.plural == "namespaces" else target.namespace
    verb = _verb(method, target, query)
    return Wish(verb=verb, group=target.resource.group, resource=resource, namespace=namespace, name=target.name)


def _verb(method: str, target: Target, query: Mapping[str, str]) -> str:
    if method == "GET":
        if query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if target.name else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return _VERBS.get(method, method.lower())


def creates(media_type: str, target: Target, store: Store) -> bool:
    """Whether a patch is an apply of something that is not there: that takes the right to create as well."""
    return media_type == APPLY_PATCH and store.get(target.resource.key, target.key) is None


def allowed(identity: Identity, wish: Wish, store: Store) -> bool:
    """Whether some rule that is bound to the user lets the wish pass."""
    return MASTERS in identity.groups or any(_permits(rule, wish) for rule in _rules(identity, wish.namespace, store))


def refusal(identity: Identity, wish: Wish) -> ApiError:
    """403 in the words of a real server."""
    where = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
    what = f'cannot {wish.verb} resource "{wish.resource}" in API group "{wish.group}" {where}'
    return forbidden(wish.resource.partition("/")[0], wish.group, wish.name, f'User "{identity.name}" {what}')


def _rules(identity: Identity, namespace: str, store: Store) -> Iterator[Document]:
    bindings = store.all((RBAC, "clusterrolebindings"))
    bindings += store.all((RBAC, "rolebindings"), namespace) if namespace else []
    for binding in bindings:
        home = binding["metadata"].get("namespace", "")
        if any(_is(subject, identity, home) for subject in binding.get("subjects") or ()):
            yield from _role(binding["roleRef"], home, store).get("rules") or ()


def _role(reference: Document, namespace: str, store: Store) -> Document:
    cluster_wide = reference["kind"] == "ClusterRole"
    key = (RBAC, "clusterroles" if cluster_wide else "roles")
    return store.get(key, ("" if cluster_wide else namespace, reference["name"])) or {}


def _is(subject: Document, identity: Identity, namespace: str) -> bool:
    match subject["kind"]:
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return identity.name == f"system:serviceaccount:{home}:{subject['name']}"
        case "Group":
            return subject["name"] in identity.groups
    return bool(subject["name"] == identity.name)


def _permits(rule: Document, wish: Wish) -> bool:
    resources = rule.get("resources") or ()
    whole, _, subresource = wish.resource.partition("/")
    named = not rule.get("resourceNames") or wish.name in rule["resourceNames"]
    return (
        named
        and _among(wish.verb, rule.get("verbs") or ())
        and _among(wish.group, rule.get("apiGroups") or ())
        and (_among(wish.resource, resources) or bool(subresource and f"*/{subresource}" in resources and whole))
    )


def _among(value: str, choices: list[str] | tuple[str, ...]) -> bool:
    return value in choices or "*" in choices


class Audit:
    """What was asked for, by whom, and how often."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Wish, bool]] = Counter()

    def note(self, identity: Identity, wish: Wish, passed: bool) -> None:
        """Count one request; objects are not told apart."""
        bare = Wish(verb=wish.verb, group=wish.group, resource=wish.resource, namespace=wish.namespace)
        self._counts[identity.name, bare, passed] += 1

    def forget(self) -> None:
        """Begin anew."""
        self._counts.clear()

    def document(self) -> list[Document]:
        """Rows of identity, verb, group, resource, namespace, whether it was allowed, and how often it was asked."""
        rows = (
            {"identity": identity, **asdict(wish), "allowed": passed, "count": count}
            for (identity, wish, passed), count in self._counts.items()
        )
        shown = [{key: value for key, value in row.items() if key != "name"} for row in rows]
        return sorted(shown, key=lambda row: tuple(str(value) for value in row.values()))
