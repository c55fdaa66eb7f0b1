"""Which VirtualServices a run edits, and every reason why it must not."""

from collections.abc import Iterable, Iterator, Sequence

from canary_analyzer.routing.destinations import Role, Route, entries, governed, role_of, weights_of
from canary_analyzer.routing.documents import Document, Problem, Target, Unroutable, namespace_of, title

BRING_YOUR_OWN = (
    "Bring your own canary: run the new version as a Deployment with its own destination in the route, "
    "and annotate it with canary-analyzer.io/baseline"
)


def select(virtual_services: Sequence[Document], target: Target) -> tuple[Document, ...]:
    """The VirtualServices whose http routes reach the stable Service, in the order given.

    Raises:
        Unroutable: nothing reaches it, or something that does cannot be edited safely; with all problems.
    """
    chosen = tuple(vs for vs in virtual_services if any(True for _ in governed(vs, target)))
    problems = [problem for vs in chosen for problem in _route_problems(vs, target)]
    if not chosen:
        problems.append(
            Problem(
                object=f"Service {target.namespace}/{target.stable}",
                path="",
                reason="no http route of a VirtualService has it as its destination",
                remedy="Route to it by its name in its own namespace, or by its fully qualified name elsewhere",
            )
        )
    if problems:
        raise Unroutable(problems)
    return chosen


def _route_problems(document: Document, target: Target) -> Iterator[Problem]:
    for index, _, _ in governed(document, target):
        if "fault" in entries(document)[index]:
            yield Problem(
                object=title(document, target.namespace),
                path=f"spec.http[{index}].fault",
                reason="injected faults would be counted against both versions",
                remedy="Remove the fault for the time of the run",
            )
