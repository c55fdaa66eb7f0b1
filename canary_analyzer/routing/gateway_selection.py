"""Which HTTPRoutes a run edits, and every reason why it must not."""

from collections.abc import Iterator, Sequence

from canary_analyzer.routing.documents import (
    Document,
    Problem,
    Target,
    Unroutable,
    mapping,
    namespace_of,
    objects,
    title,
)
from canary_analyzer.routing.http_route import HTTP_ROUTE, LARGEST_LIST, LARGEST_WEIGHT
from canary_analyzer.routing.obstacles import obstacles, others_of_stable, too_little, unreached
from canary_analyzer.routing.routes import Reading, entries, items_of
from canary_analyzer.routing.step_obstacles import step_obstacles
from canary_analyzer.routing.steps import with_traffic
from canary_analyzer.routing.traffic import Traffic


def select(documents: Sequence[Document], target: Target, wanted: Sequence[Traffic] = ()) -> tuple[Document, ...]:
    """The HTTPRoutes whose rules reach the stable Service, in the order given.

    Several on one parent are edited together: the gateway merges their rules. Whether a parent is a Gateway or, in a
    mesh, a Service makes no difference, since only backends are edited.

    Args:
        documents: HTTPRoutes of every namespace that can be seen, and ReferenceGrants.
        target: the arms.
        wanted: every traffic that the run may ask for; what a route cannot do is refused now.

    Raises:
        Unroutable: nothing reaches it, or something that does cannot be edited safely; with all problems.
    """
    routes = [document for document in documents if document.get("kind") != "ReferenceGrant"]
    chosen = [each for each in routes if any(Reading.of(each, target, HTTP_ROUTE).governed(each))]
    if not chosen:
        near = [problem for each in routes for problem in others_of_stable(each, target, HTTP_ROUTE)]
        raise Unroutable(near or unreached(target, "HTTPRoutes"))
    if problems := problems_of(chosen, documents, target, wanted):
        raise Unroutable(problems)
    return tuple(chosen)


def problems_of(
    chosen: Sequence[Document], documents: Sequence[Document], target: Target, wanted: Sequence[Traffic] = ()
) -> list[Problem]:
    """Why `chosen`, which reach stable, cannot be edited; `documents` are those around them."""
    problems = [problem for each in chosen for problem in obstacles(each, target, HTTP_ROUTE)]
    problems += [problem for each in chosen for problem in _largest(each, target)]
    problems += [problem for each in chosen for problem in _ungranted(each, documents, target)]
    if not problems:
        problems += too_little(chosen, target, HTTP_ROUTE, wanted)
        problems += step_obstacles(chosen, target, HTTP_ROUTE, wanted)
    if not problems:
        problems += [problem for each in chosen for problem in _outgrown(each, target, wanted)]
        problems += [problem for each in chosen for problem in _overtaken(each, target, wanted)]
    return problems


def _largest(document: Document, target: Target) -> Iterator[Problem]:
    for entry in Reading.of(document, target, HTTP_ROUTE).governed(document):
        for j, item in enumerate(entry.items):
            weight = item.get("weight")
            if isinstance(weight, int) and weight > LARGEST_WEIGHT:
                yield Problem(
                    object=title(document, target.namespace),
                    path=f"spec.rules[{entry.index}].backendRefs[{j}].weight",
                    reason=f"{weight} is more than the API allows",
                    remedy=f"Give {LARGEST_WEIGHT} at most",
                )


def _ungranted(document: Document, documents: Sequence[Document], target: Target) -> Iterator[Problem]:
    """A route may name a Service of another namespace only where a ReferenceGrant there allows it, by name or all."""
    namespace = namespace_of(document, target.namespace)
    if namespace == target.namespace:
        return
    grants = [each for each in documents if each.get("kind") == "ReferenceGrant"]
    named = [name for name in (target.canary, target.baseline) if name]
    for name in named:
        if not any(_grants(grant, namespace, name, target) for grant in grants):
            yield Problem(
                object=title(document, target.namespace),
                path="spec.rules",
                reason=f"no ReferenceGrant in {target.namespace} lets HTTPRoutes of {namespace} name {name}",
                remedy=f"Grant it in {target.namespace}, by this name or for all Services",
            )


def _grants(grant: Document, namespace: str, name: str, target: Target) -> bool:
    spec = mapping(grant.get("spec"))
    asked = any(
        each.get("kind") == "HTTPRoute" and each.get("namespace") == namespace for each in objects(spec.get("from"))
    )
    services = (each for each in objects(spec.get("to")) if each.get("kind") == "Service")
    given = any(each.get("name") in (None, "", name) for each in services)
    return asked and given and namespace_of(grant, target.namespace) == target.namespace


def _outgrown(document: Document, target: Target, wanted: Sequence[Traffic]) -> Iterator[Problem]:
    """Lists that would become longer than the API allows."""
    name = title(document, target.namespace)
    shaped = [entries(with_traffic(document, target, HTTP_ROUTE, each), "rules") for each in (Traffic(), *wanted)]
    rules = max(len(listed) for listed in shaped)
    backends = max(len(items_of(rule, HTTP_ROUTE)) for listed in shaped for rule in listed)
    for path, what, count in (("spec.rules", "rules", rules), ("spec.rules", "backends in a rule", backends)):
        if count > LARGEST_LIST:
            yield Problem(
                object=name,
                path=path,
                reason=f"the run would need {count} {what}, and the API allows {LARGEST_LIST}",
                remedy="Leave out steps that match or stick, give the ramp fewer weights, or divide the route",
            )


def _overtaken(document: Document, target: Target, wanted: Sequence[Traffic]) -> Iterator[Problem]:
    """Rules to others that an added rule could overtake: rules rank by the number of conditions on headers."""
    if not any(each.match or each.sticky for each in wanted):
        return
    ours = {entry.index for entry in Reading.of(document, target, HTTP_ROUTE).governed(document)}
    for index, rule in enumerate(entries(document, "rules")):
        conditional = [m for m in objects(rule.get("matches")) if m.get("headers") or m.get("queryParams")]
        if index not in ours and conditional:
            yield Problem(
                object=title(document, target.namespace),
                path=f"spec.rules[{index}].matches",
                reason="its conditions rank by their number, and rules added for testers or cookies could overtake it",
                remedy="Leave out steps that match or stick, or move this rule to a route with a path of its own",
            )
