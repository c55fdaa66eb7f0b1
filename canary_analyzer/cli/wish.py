"""What `start` asks for, as the annotations it writes."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from canary_analyzer.cli.access import Access
from canary_analyzer.cli.rehearsal import Rehearsed, rehearsed
from canary_analyzer.cli.service_config import service_config
from canary_analyzer.cli.verb import Trouble
from canary_analyzer.cluster.observe import workload
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.policy import merged
from canary_analyzer.routing import Document

CONTROLLER_SECONDS = 5.0
"""How long a Deployment's controller may take to see a change: annotating alone is one."""
_OF_EARLIER_RUNS = (annotations.APPROVE, annotations.PROMOTE, annotations.ABORT)
"""They name a run; one that was left behind must not be about the new one."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A canary that somebody wants."""

    images: Sequence[str]
    """IMAGE or CONTAINER=IMAGE."""
    strategy: str | None = None
    profile: str | None = None
    fields: Sequence[str] = ()
    """FIELD=VALUE of the policy."""

    def changes(self, present: Mapping[str, str], stamp: str) -> dict[str, str | None]:
        """Return the annotations to set; None takes one away.

        Args:
            present: the Deployment's annotations.
            stamp: tells this wish from all others.

        Raises:
            Trouble: a field is not given as FIELD=VALUE, or what is there cannot be added to.
        """
        wanted: dict[str, str | None] = {
            annotations.IMAGE: ",".join(self.images),
            annotations.REQUEST: stamp,
            annotations.STRATEGY: self.strategy,
            annotations.PROFILE: self.profile,
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        if self.fields:
            given[annotations.CONFIG] = _with_fields(present.get(annotations.CONFIG, ""), self.fields)
        return {**{key: None for key in _OF_EARLIER_RUNS if key in present}, **given}


def _with_fields(text: str, fields: Sequence[str]) -> str:
    try:
        whole = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise Trouble(f"annotation {annotations.CONFIG}: it is not YAML; mend it first, then use --set") from error
    for each in fields:
        whole = merged(whole, _field(each))
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


def _field(given: str) -> dict[str, Any]:
    """Read `a.b=VALUE`, the value as YAML."""
    path, equals, text = given.partition("=")
    if not equals or not all(path.split(".")):
        raise Trouble(f"--set {given!r}: write FIELD=VALUE, such as tick_seconds=5 or analysis.errors.relative=0.25")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Trouble(f"--set {given!r}: the value is not YAML") from error
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


@dataclass(frozen=True, kw_only=True)
class Wished:
    """A wish on a Deployment as it is, and what would come of it."""

    before: Document
    changes: Mapping[str, str | None]
    stamp: str
    rehearsed: Rehearsed


def wished(access: Access, deployment: str, wish: Wish, config: Path | None, now: float) -> Wished:
    """Check a wish against the cluster, and write nothing.

    Args:
        access: to the cluster.
        deployment: its name.
        wish: what somebody wants.
        config: the service's config file, if it is at hand.
        now: seconds since the epoch.

    Raises:
        Trouble: there is no such Deployment, or the wish is not well formed.
        Misconfigured: the service's config cannot be read.
    """
    before, stamp = _as_seen_by_its_controller(access, deployment), str(uuid.uuid4())
    changes = wish.changes(annotations.of(before), stamp)
    after = with_annotations(before, changes)
    checked = rehearsed(access.api, after, service_config(access.cluster, config), now)
    return Wished(before=before, changes=changes, stamp=stamp, rehearsed=checked)


def _as_seen_by_its_controller(access: Access, name: str) -> Document:
    """Return a Deployment, waiting a moment where its controller has not looked at its newest change yet."""
    until = time.monotonic() + CONTROLLER_SECONDS
    deployment = access.deployment(name)
    while not workload(deployment).current and time.monotonic() < until:
        time.sleep(0.5)
        deployment = access.deployment(name)
    return deployment


def with_annotations(deployment: Mapping[str, Any], changes: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the Deployment as it will be once the annotations are changed."""
    found = {**annotations.of(deployment), **changes}
    kept = {key: value for key, value in found.items() if value is not None}
    return {**deployment, "metadata": {**deployment["metadata"], "annotations": kept}}
