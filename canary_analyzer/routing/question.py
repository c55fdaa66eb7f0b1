"""From names that a person gives and the documents around them to a target: which Services and subsets are meant."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from canary_analyzer.routing.discovery import Around, Pods, brought_target, sibling_target
from canary_analyzer.routing.documents import Document, Problem, Target, Unroutable, metadata_of, namespace_of, title
from canary_analyzer.routing.explain import api_of
from canary_analyzer.routing.hosts import ServiceName
from canary_analyzer.routing.routes import entries, items_of

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What somebody wants to know about: names of a Service or a Deployment each, and subsets of their hosts."""

    stable: str
    canary: str | None = None
    namespace: str | None = None
    stable_subset: str | None = None
    canary_subset: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The target that is meant, and what had to be assumed."""

    target: Target
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Use:
    """A destination in some route: where it stands and what it names."""

    document: Document
    path: str
    service: ServiceName
    subset: str | None


def answer(documents: Sequence[Document], question: Question) -> Answer:
    """The target of a question.

    With Deployments among the documents, the labels of their pods tell which subset is whose. Without them the names
    are those of Services, and a single subset that routes name is taken for stable's.

    Raises:
        Unroutable: what is meant cannot be told; with every reason.
    """
    question = _spelled_out(question)
    namespace = _namespace(documents, question)
    around = _around(documents, namespace)
    uses = [use for use in _uses(documents, namespace) if use.service.namespace == namespace]
    pods = {each.name: each for each in around.others}
    if question.stable in pods and question.canary in pods:
        return Answer(target=_brought(question, around, pods))
    service = _service(question, around, uses, pods)
    target = Target(
        namespace=namespace,
        stable=service,
        canary=question.canary or (service if question.canary_subset else f"{service}-canary"),
        canary_subset=question.canary_subset,
    )
    target = replace(target, brought=_is_routed(question, target, uses))
    return _with_subsets(question, target, around, [use for use in uses if use.service.name == service])


def _spelled_out(question: Question) -> Question:
    """A name with its namespace (`web.shop`, `web.shop.svc.cluster.local`) taken apart."""
    name, *rest = question.stable.split(".")
    if not rest or rest[1:2] not in ([], ["svc"]):
        return question
    return replace(question, stable=name, namespace=question.namespace or rest[0])


def _with_subsets(question: Question, target: Target, around: Around, uses: Sequence[_Use]) -> Answer:
    """The target with the subsets that are stable's: as told, by labels, or the only one."""
    if question.stable_subset is not None:
        return Answer(target=replace(target, stable_subsets=(question.stable_subset,)))
    candidates = _selected(target.stable, around)
    named = [pods for pods in candidates if pods.name == question.stable]
    known = named or (candidates if len(candidates) == 1 else [])
    if known:
        others = tuple(pods for pods in around.others if pods is not known[0])
        found = sibling_target(target.stable, target.canary, known[0], replace(around, others=others))
        return Answer(target=replace(target, stable_subsets=found.stable_subsets))
    used = list(dict.fromkeys(use.subset for use in uses if not _is_canary(use, target)))
    if used in ([], [None]):
        return Answer(target=target)
    if len(used) == 1:
        assumed = f"subset {used[0]} of {target.stable} is taken for the stable Deployment's: routes name no other"
        return Answer(target=replace(target, stable_subsets=(used[0],)), assumptions=(assumed,))
    raise Unroutable([_ambiguous(use, used, target) for use in uses])


def _ambiguous(use: _Use, used: Sequence[str | None], target: Target) -> Problem:
    names = ", ".join(subset or "none" for subset in used)
    return Problem(
        object=title(use.document, target.namespace),
        path=f"{use.path}.destination.subset",
        reason=f"routes name several subsets of {target.stable} ({names}), and it is not told which one is stable",
        remedy="Give --stable-subset, or the files of the Deployments, the Service and the DestinationRule as well",
    )


def _is_canary(use: _Use, target: Target) -> bool:
    return (use.service.name, use.subset) == (target.canary, target.canary_subset)


def _is_routed(question: Question, target: Target, uses: Sequence[_Use]) -> bool:
    """Whether the canary is in the routes already: then it is the user's own, who has to say that he means it."""
    routed = [use for use in uses if _is_canary(use, target)]
    if routed and question.canary is None and question.canary_subset is None:
        raise Unroutable(
            Problem(
                object=title(use.document, target.namespace),
                path=use.path,
                reason=f"{target.canary}, the name that our canary would have, has requests routed to it",
                remedy=f"Give --canary {target.canary} to move weights between the two, or rename it",
            )
            for use in routed
        )
    return bool(routed)


def _brought(question: Question, around: Around, pods: Mapping[str, Pods]) -> Target:
    pair = {question.stable, question.canary}
    others = tuple(each for name, each in pods.items() if name not in pair)
    return brought_target(pods[question.stable], pods[question.canary or ""], replace(around, others=others))


def _service(question: Question, around: Around, uses: Sequence[_Use], pods: Mapping[str, Pods]) -> str:
    """The Service that is meant: by its own name, else one that selects the Deployment's pods and that routes reach."""
    routed = {use.service.name for use in uses}
    names = {str(metadata_of(service).get("name")) for service in around.services}
    if question.stable in routed | names or question.stable not in pods:
        return question.stable
    selecting = [name for name in sorted(names) if pods[question.stable] in _selected(name, around)]
    return next((name for name in selecting if name in routed), selecting[0] if selecting else question.stable)


def _selected(service: str, around: Around) -> list[Pods]:
    """Deployments whose pods a Service selects."""
    for document in around.services:
        spec = document.get("spec")
        selector = spec.get("selector") if isinstance(spec, dict) else None
        if metadata_of(document).get("name") == service and isinstance(selector, dict) and selector:
            return [pods for pods in around.others if selector.items() <= pods.labels.items()]
    return []


def _namespace(documents: Sequence[Document], question: Question) -> str:
    """As told; else the one in which routes, Services or Deployments have the name; else `default`."""
    if question.namespace is not None:
        return question.namespace
    found = {
        use.service.namespace for use in _uses(documents, DEFAULT_NAMESPACE) if use.service.name == question.stable
    }
    found = found or {
        namespace_of(each, DEFAULT_NAMESPACE)
        for each in documents
        if each.get("kind") in ("Service", "Deployment") and metadata_of(each).get("name") == question.stable
    }
    if len(found) > 1:
        listed = ", ".join(sorted(found))
        raise Unroutable(
            [
                Problem(
                    object=f"Service {question.stable}",
                    path="",
                    reason=f"there is one in each of several namespaces: {listed}",
                    remedy="Give --namespace",
                )
            ]
        )
    return found.pop() if found else DEFAULT_NAMESPACE


def _uses(documents: Sequence[Document], namespace: str) -> Iterator[_Use]:
    """Every destination of an http entry that names a Service."""
    for document in documents:
        api = api_of(document)
        for i, entry in enumerate(entries(document, api.entries_at) if api is not None else ()):
            for j, item in enumerate(items_of(entry, api) if api is not None else ()):
                address = api.address(item, namespace_of(document, namespace)) if api is not None else None
                if api is not None and address is not None:
                    path = f"spec.{api.entries_at}[{i}].{api.items_at}[{j}]"
                    yield _Use(document=document, path=path, service=address.service, subset=address.subset)


def _around(documents: Sequence[Document], namespace: str) -> Around:
    """The documents by kind; all Deployments of the namespace are among `others`."""
    here = [each for each in documents if namespace_of(each, namespace) == namespace]
    deployments = [each for each in here if each.get("kind") == "Deployment"]
    return Around(
        namespace=namespace,
        services=[each for each in here if each.get("kind") == "Service" and each.get("apiVersion") == "v1"],
        destination_rules=[each for each in documents if each.get("kind") == "DestinationRule"],
        routes=[each for each in documents if api_of(each) is not None],
        others=tuple(pods for each in deployments if (pods := _pods(each)) is not None),
    )


def _pods(deployment: Document) -> Pods | None:
    labels: object = deployment
    for step in ("spec", "template", "metadata", "labels"):
        labels = labels.get(step) if isinstance(labels, dict) else None
    return Pods(name=str(metadata_of(deployment).get("name")), labels=labels) if isinstance(labels, dict) else None
