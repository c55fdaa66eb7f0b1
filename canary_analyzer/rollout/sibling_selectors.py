"""Evaluating label selectors, and finding those in the documents that select pods of a namespace."""

from collections.abc import Iterator, Mapping
from typing import Any

from canary_analyzer.routing.documents import Document

Labels = Mapping[str, str]
_LABEL_SELECTOR = frozenset({"matchLabels", "matchExpressions"})


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Whether a LabelSelector (matchLabels and matchExpressions, all of them) selects `labels`; an empty one does."""
    wanted = (selector.get("matchLabels") or {}).items()
    expressions = selector.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in wanted) and all(_holds(each, labels) for each in expressions)


def _holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    """One requirement; `NotIn` holds for an absent key (Kubernetes API conventions, LabelSelectorRequirement)."""
    value, values = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case unknown:
            raise ValueError(f"operator: {unknown!r} is none of In, NotIn, Exists, DoesNotExist")


def selectors_of(document: Document) -> Iterator[Mapping[str, Any]]:
    """The LabelSelectors by which a Service, policy or budget selects pods, and those of the peers that it names.

    Told by shape, not by kind: the items of a list that the API server answers with carry no kind. Peers with a
    namespaceSelector are included: whether it covers this namespace is not known here.
    """
    spec = document.get("spec") or {}
    if "podSelector" in spec:
        yield spec["podSelector"] or {}
        yield from _peers(spec)
    elif spec.get("selector"):
        selector = spec["selector"]
        yield selector if _LABEL_SELECTOR.issuperset(selector) else {"matchLabels": selector}


def _peers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for rules, direction in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(rules) or []:
            for peer in (rule or {}).get(direction) or []:
                if "podSelector" in peer:
                    yield peer["podSelector"] or {}
