"""What a run would do to given route documents, or why it would not touch them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from canary_analyzer.routing import gateway_selection, selection
from canary_analyzer.routing.dialect import Api
from canary_analyzer.routing.documents import Document, Problem, Target, title
from canary_analyzer.routing.http_route import HTTP_ROUTE
from canary_analyzer.routing.obstacles import others_of_stable, unreached
from canary_analyzer.routing.routes import Reading, entries
from canary_analyzer.routing.steps import with_traffic
from canary_analyzer.routing.traffic import Traffic
from canary_analyzer.routing.virtual_service import VIRTUAL_SERVICE

_APIS: Mapping[tuple[str, str], Api] = {
    ("networking.istio.io", "VirtualService"): VIRTUAL_SERVICE,
    ("gateway.networking.k8s.io", "HTTPRoute"): HTTP_ROUTE,
}


class Outcome(Enum):
    """What becomes of a document."""

    EDITED = "edited"
    REFUSED = "refused"
    UNRELATED = "unrelated"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One document: what would be written, or every reason why nothing would be."""

    document: Document
    outcome: Outcome
    desired: Document | None = None
    edited: tuple[str, ...] = ()
    """Paths of the lists of destinations that would be written."""
    problems: tuple[Problem, ...] = ()


def explain(documents: Sequence[Document], target: Target, traffic: Traffic) -> list[Explanation]:
    """One explanation for each VirtualService and HTTPRoute among `documents`, in order; others are context."""
    explained = [_explained(each, documents, target, traffic) for each in documents if api_of(each) is not None]
    if any(each.outcome is not Outcome.UNRELATED for each in explained):
        return explained
    return [_missed(each, target) for each in explained]


def api_of(document: Document) -> Api | None:
    """How a document writes its routes; None: it is not one of routes. Other projects have kinds of these names."""
    group = str(document.get("apiVersion") or "").partition("/")[0]
    return _APIS.get((group, str(document.get("kind"))))


def _explained(document: Document, documents: Sequence[Document], target: Target, traffic: Traffic) -> Explanation:
    api = _known(document)
    if not any(Reading.of(document, target, api).governed(document)):
        return Explanation(document=document, outcome=Outcome.UNRELATED)
    around = [each for each in documents if api_of(each) is api or each.get("kind") == "ReferenceGrant"]
    asked = gateway_selection.problems_of if api is HTTP_ROUTE else selection.problems_of
    if problems := asked([document], around, target, [traffic]):
        return Explanation(document=document, outcome=Outcome.REFUSED, problems=tuple(problems))
    desired = with_traffic(document, target, api, traffic)
    before, after = entries(document, api.entries_at), entries(desired, api.entries_at)
    edited = tuple(
        f"spec.{api.entries_at}[{i}].{api.items_at}"
        for i, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new
    )
    return Explanation(document=document, outcome=Outcome.EDITED, desired=desired, edited=edited)


def _missed(explanation: Explanation, target: Target) -> Explanation:
    """The near misses of a document, where no document reaches stable."""
    document = explanation.document
    api = _known(document)
    near = list(
        selection.near_misses(document, target) if api is VIRTUAL_SERVICE else others_of_stable(document, target, api)
    )
    problems = near or unreached(target, title(document, target.namespace), f"spec.{api.entries_at}")
    return Explanation(document=document, outcome=Outcome.REFUSED, problems=tuple(problems))


def _known(document: Document) -> Api:
    api = api_of(document)
    assert api is not None
    return api
