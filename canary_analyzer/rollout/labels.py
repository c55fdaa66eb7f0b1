"""Choosing the one label by which canary pods differ from stable pods.

Both the stable Service and the stable Deployment must select on it: then canary pods leave the Service (traffic comes
by weight only) and the Deployment's selector, which is also what a HorizontalPodAutoscaler counts by. No disruption
budget may count canary pods: they come and go, and stable's budget is for stable's pods. Nothing else may select on the
label: a canary that falls out of a policy or another Service is not the same workload any more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_analyzer.rollout.sibling_names import BASELINE, sibling_name
from canary_analyzer.rollout.sibling_selectors import Labels, matches, selectors_of
from canary_analyzer.routing.documents import Document

PREFERRED = "track"
# Telemetry, dashboards and meshes go by these: they are changed only where there is nothing else.
_IDENTITY = frozenset({"app", "version", "app.kubernetes.io/name", "app.kubernetes.io/instance", "k8s-app"})
_REMEDY = (
    f"Add a label that no policy and no other Service selects on, such as `{PREFERRED}: stable`, to the pods and to "
    "the selectors of the Deployment (a new one, since a selector cannot be changed), of the Service and of its "
    "PodDisruptionBudget"
)


@dataclass(frozen=True, kw_only=True)
class LabelChange:
    """The label that canary pods carry with another value than stable pods, and that value."""

    key: str
    value: str


class SiblingProblem(Exception):
    """A canary cannot be made from what is there: `reason` says why, `remedy` what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{reason}. {remedy}")


class Unlabelable(SiblingProblem):
    """No label can tell canary pods from stable pods without changing what else selects them."""


def choose_label(
    deployment: Document, service: Document, neighbours: Sequence[Document], budgets: Sequence[Document] = ()
) -> LabelChange:
    """The label to change on canary pods: `track` if it will do, else the first by name; identity labels come last.

    Args:
        deployment: the stable Deployment.
        service: the stable Service.
        neighbours: what else selects pods in the namespace: other Services, AuthorizationPolicies,
            PeerAuthentications, NetworkPolicies. The stable Service itself may be among them.
        budgets: PodDisruptionBudgets of the namespace.

    Raises:
        Unlabelable: no label will do; with what stands against each.
    """
    labels: Labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    selector: Labels = service["spec"].get("selector") or {}
    if not selector or not matches({"matchLabels": selector}, labels):
        raise Unlabelable(
            f"Service {_name(service)} does not select the pods of Deployment {_name(deployment)}",
            "Annotate the Deployment whose pods the Service selects",
        )
    others = [other for other in neighbours if not _is_same(other, service)]
    candidates = {change: _objection(change, deployment, others, budgets) for change in _candidates(selector)}
    suitable = [change for change, objection in candidates.items() if objection is None]
    if not suitable:
        against = "; ".join(dict.fromkeys(str(objection) for objection in candidates.values()))
        raise Unlabelable(f"No label can tell canary pods from the pods of {_name(deployment)}: {against}", _REMEDY)
    return suitable[0]


def baseline_value(change: LabelChange, stable_value: str) -> str:
    """Return the value that pods of a fresh baseline have of the changed label."""
    return "baseline" if change.value == "canary" else sibling_name(stable_value, BASELINE)


def _candidates(selector: Labels) -> Iterator[LabelChange]:
    for key in sorted(selector, key=lambda key: (key != PREFERRED, key in _IDENTITY, key)):
        if key == PREFERRED and selector[key] != "canary":
            yield LabelChange(key=key, value="canary")
        yield LabelChange(key=key, value=sibling_name(selector[key]) if selector[key] else "canary")


def _objection(
    change: LabelChange, deployment: Document, others: Sequence[Document], budgets: Sequence[Document]
) -> str | None:
    labels: Labels = deployment["spec"]["template"]["metadata"]["labels"]
    changed = {**labels, change.key: change.value}
    if matches(deployment["spec"]["selector"], changed):
        return f"the Deployment's selector would still select pods with {change.key}={change.value}"
    for other in others:
        if any(matches(each, labels) != matches(each, changed) for each in selectors_of(other)):
            return f"{other.get('kind', 'the object')} {_name(other)} selects on {change.key}"
    for budget in budgets:
        if any(matches(each, changed) for each in selectors_of(budget)):
            return f"PodDisruptionBudget {_name(budget)} would count pods with {change.key}={change.value} as its own"
    return None


def _is_same(other: Document, service: Document) -> bool:
    return _name(other) == _name(service) and (other.get("spec") or {}).get("selector") == service["spec"]["selector"]


def _name(document: Mapping[str, Any]) -> str:
    return str(document["metadata"]["name"])
