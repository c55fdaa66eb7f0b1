"""Metrics of the user's own, read for many pairs by one query for each selector that they share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from canary_analyzer.metrics.dialects import CannotTellApartError, Labels
from canary_analyzer.metrics.pairs import Arm, Pair, Workload
from canary_analyzer.metrics.promql import Part, Query, Role, chunked, escaped, matcher, quoted
from canary_analyzer.rollout.metrics import MetricQuery
from canary_analyzer.rollout.templates import Matcher, Template

UNITS_MS = {"seconds": 1000.0, "milliseconds": 1.0}

# A Deployment's pod is called DEPLOYMENT-HASH-SUFFIX: names as the ReplicaSet controller and the API server make them.
# By the number of parts that follow what is known of the name.
_ENDINGS = ("", "-[a-z0-9]{5}", "-[a-z0-9]{1,10}-[a-z0-9]{5}")
_PODS = tuple(re.compile(f"(.+){ending}") for ending in _ENDINGS)

# What stands in one place: a name, or a pod's name and the number of parts that its end may have besides.
Filling = str | tuple[str, int]
Fillings = tuple[Filling, ...]


@dataclass(frozen=True, kw_only=True)
class _Family:
    """Series that may be asked for together: what all of its members share."""

    template: Template
    role: Role
    unit_ms: float


def queries(pairs: Sequence[Pair]) -> Iterator[Query]:
    """Return as few queries as possible for the metrics that the pairs brought along.

    Raises:
        CannotTellApartError: A selector finds the same series for both arms of a pair.
    """
    families: dict[_Family, dict[Pair, list[str]]] = {}
    for pair in pairs:
        for metric in pair.metrics:
            for family in _families(metric):
                families.setdefault(family, {}).setdefault(pair, []).append(metric.name)
    for family, names in families.items():
        yield from chunked(names, partial(_query, family, names))


def _families(metric: MetricQuery) -> Iterator[_Family]:
    for role, template in metric.templates().items():
        yield _Family(template=template, role=Role(role), unit_ms=UNITS_MS[metric.unit])


def _query(family: _Family, names: Mapping[Pair, Sequence[str]], pairs: Sequence[Pair]) -> Query:
    owners: dict[Fillings, list[tuple[Pair, Part]]] = {}
    for pair in pairs:
        for fillings, arm in _arms(family.template, pair, names[pair]).items():
            parts = [Part(arm=arm, role=family.role, metric=name) for name in names[pair]]
            owners.setdefault(fillings, []).extend((pair, part) for part in parts)
    return Query(
        selector=_selector(family.template, list(owners)),
        owners=partial(_owners, family.template, owners),
        unit_ms=family.unit_ms,
        pairs=tuple(pairs),
    )


def _arms(template: Template, pair: Pair, names: Sequence[str]) -> Mapping[Fillings, Arm]:
    """Return what may stand in the places, and for which arm."""
    found: dict[Fillings, Arm] = {}
    for arm in Arm:
        for fillings in product(*(_fillings(place, pair, arm) for place in _open(template))):
            if found.setdefault(fillings, arm) is not arm:
                raise CannotTellApartError(
                    f"metric {' and '.join(names)}: {template.metric} finds the same series for canary and baseline; "
                    'select them by what differs: {{workload}}, {{service}} or pod=~"{{pods}}"'
                )
    return found


def _open(template: Template) -> Sequence[Matcher]:
    """Return the matchers that have places."""
    return [condition for condition in template.matchers if condition.places]


def _fillings(condition: Matcher, pair: Pair, arm: Arm) -> Sequence[Filling]:
    workload = pair.arms[arm]
    if condition.places == {"pods"}:
        return _pods(workload)
    names = {"namespace": workload.namespace, "workload": workload.name, "service": pair.services.get(arm, "")}
    return [condition.filled(names)]


def _pods(workload: Workload) -> Sequence[tuple[str, int]]:
    """Return what the names of a workload's pods begin with, and how many parts follow."""
    pods = workload.pods
    if pods is None:
        return [(workload.name, 2)]
    if pods.label == "pod":
        return [(name, 0) for name in pods.values]
    return [(f"{workload.name}-{value}", 1) for value in pods.values]


def _selector(template: Template, fillings: Sequence[Fillings]) -> str:
    columns = iter(zip(*fillings, strict=True))
    conditions = [
        _condition(condition, set(next(columns))) if condition.places else _constant(condition)
        for condition in template.matchers
    ]
    return f"{template.metric}{{{','.join(conditions)}}}"


def _constant(condition: Matcher) -> str:
    return f"{condition.label}{condition.operator}{quoted(condition.text)}"


def _condition(condition: Matcher, fillings: set[Filling]) -> str:
    names = [filling for filling in fillings if isinstance(filling, str)]
    if names:
        return matcher(condition.label, names)
    pods = [filling for filling in fillings if not isinstance(filling, str)]
    patterns = sorted(f"{escaped(name)}{_ENDINGS[parts]}" for name, parts in pods)
    return f"{condition.label}=~{quoted('|'.join(patterns))}"


def _owners(
    template: Template, owners: Mapping[Fillings, Sequence[tuple[Pair, Part]]], labels: Labels
) -> Iterator[tuple[Pair, Part]]:
    for fillings in product(*(_read(place, labels.get(place.label, "")) for place in _open(template))):
        yield from owners.get(fillings, ())


def _read(condition: Matcher, value: str) -> Sequence[Filling]:
    """Return what may have stood in the place, so that a label now has this value."""
    if condition.places != {"pods"}:
        return [value]
    matches = [(ending.fullmatch(value), parts) for parts, ending in enumerate(_PODS)]
    return [(found[1], parts) for found, parts in matches if found]
