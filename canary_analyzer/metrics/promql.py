"""The queries: plain selectors, so that nothing between Prometheus and us extrapolates or aggregates."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from canary_analyzer.metrics.istio import LATENCY_BUCKETS, REQUESTS, UNKNOWN, Pair

# Queries travel in the URL, and proxies commonly cut URLs at 8 kB; a query has up to three lists of names.
LIST_CHARACTERS = 1500
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, kw_only=True)
class Selectors:
    """What to ask for a group of pairs: their requests, the requests that reached no host, and the latency buckets."""

    requests: str
    unreached: str
    buckets: str


def matcher(label: str, values: Collection[str]) -> str:
    """Return a PromQL matcher for a label that has one of `values`, whatever characters they contain.

    Strings are quoted as in Go (of which JSON's quoting is a part), regular expressions are RE2 and always anchored:
    https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals.
    """
    if len(values) == 1:
        return f"{label}={_quoted(*values)}"
    return f"{label}=~{_quoted('|'.join(_META.sub(_escaped, value) for value in sorted(values)))}"


def selectors(pairs: Iterable[Pair], reporter: str) -> Iterator[Selectors]:
    """Return as few groups of selectors as fit into URLs and together cover all `pairs`.

    Namespaces and names are matched apart, so that a selector may catch a namesake in another pair's namespace: the
    reader of the answer must look at both.
    """
    for chunk in _chunks(sorted(pairs, key=lambda pair: (pair.baseline.namespace, pair.baseline.name))):
        yield _selectors(chunk, matcher("reporter", [reporter]))


def _selectors(pairs: Sequence[Pair], reporter: str) -> Selectors:
    workloads = {workload for pair in pairs for workload in (pair.baseline, pair.canary)}
    services = {service for pair in pairs for service in (pair.baseline_service, pair.canary_service)}
    names = matcher("destination_workload", {workload.name for workload in workloads})
    namespaces = matcher("destination_workload_namespace", {workload.namespace for workload in workloads})
    unknown = matcher("destination_workload", [UNKNOWN])
    return Selectors(
        requests=f"{REQUESTS}{{{reporter},{names},{namespaces}}}",
        unreached=f"{REQUESTS}{{{reporter},{unknown},{matcher('destination_service_name', services)}}}",
        buckets=f"{LATENCY_BUCKETS}{{{reporter},{names},{namespaces}}}",
    )


def _chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    chunk: list[Pair] = []
    size = 0
    for pair in pairs:
        length = len(f"{pair.baseline.name}|{pair.canary.name}|{pair.baseline.namespace}|")
        if chunk and size + length > LIST_CHARACTERS:
            yield chunk
            chunk, size = [], 0
        chunk.append(pair)
        size += length
    if chunk:
        yield chunk


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match.group()}"
