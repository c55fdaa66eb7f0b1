"""Annotations on a Deployment: what they are called and what they ask for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from canary_analyzer.rollout.phases import ENDED, Phase
from canary_analyzer.rollout.policy import RolloutPolicy, mistakes, override
from canary_analyzer.rollout.strategy import Strategy

PREFIX = "canary-analyzer.io/"
IMAGE = PREFIX + "image"
"""`IMAGE`, or `CONTAINER=IMAGE[,CONTAINER=IMAGE]`: start a run of it. Taken away when the run ends. Removing or
changing it aborts the run, until stable has taken the new version over."""
BASELINE = PREFIX + "baseline"
"""On a canary that you made: the name of the stable Deployment that it is compared with. Stays; removing it aborts."""
REQUEST = PREFIX + "request"
"""Any value not used before: makes a wish explicit where `kubectl rollout undo` could have brought it back, and asks
for another run of a canary that you made. `kubectl canary start` sets it."""
STRATEGY = PREFIX + "strategy"
"""`canary` (default), `blue-green` or `rolling`."""
PROFILE = PREFIX + "profile"
"""Name of a profile of the service's config: `standard` (default), `quick`, `careful`, or one of your own."""
CONFIG = PREFIX + "config"
"""YAML, at most 10,000 characters: overrides any field of the policy for this Deployment. Read when a run begins."""
HOLD = PREFIX + "hold"
"""`"true"` freezes the ramp at its present weight. The canary is still judged, and aborted if it is shown to be
worse."""
APPROVE = PREFIX + "approve"
"""The run's name: opens the one gate at which it waits for a person. Taken away once used."""
PROMOTE = PREFIX + "promote"
"""The run's name: ends the ramp now and promotes, before a verdict. The story says that a person did. In blue-green all
requests go to green first."""
ABORT = PREFIX + "abort"
"""The run's name: aborts it."""
STATUS = PREFIX + "status"
"""Written by the service when the phase changes, one line of JSON: run, phase, weight, verdict, reason, what_now; and
`waiting`, where a stage takes long."""

KNOWN = frozenset({IMAGE, BASELINE, REQUEST, STRATEGY, PROFILE, CONFIG, HOLD, APPROVE, PROMOTE, ABORT, STATUS})
STRATEGIES = (Strategy.CANARY, Strategy.BLUE_GREEN, Strategy.ROLLING)
"""What the annotation `strategy` may say."""
CONFIG_LENGTH = 10_000
"""Characters of YAML that are read from an annotation; a whole policy has about a thousand."""
REASON_LENGTH = 1000
_REVISION = "deployment.kubernetes.io/revision"
DEFAULT_PROFILE = "standard"


class Misannotated(ValueError):
    """Annotations that do not parse; `mistakes` holds one sentence for each."""

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__("; ".join(found))
        self.mistakes = tuple(found)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A wish for a canary, parsed: the images by container name, and the policy in force."""

    strategy: Strategy
    images: Mapping[str, str]
    policy: RolloutPolicy


def of(deployment: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the Deployment's annotations."""
    return deployment["metadata"].get("annotations") or {}


def revision_of(deployment: Mapping[str, Any]) -> str:
    """Return the number that the controller has given the Deployment's template; empty before it has seen it."""
    return of(deployment).get(_REVISION, "")


def wishes_of(deployment: Mapping[str, Any]) -> dict[str, str]:
    """Return what users have annotated for us, our own status left out."""
    return {key: value for key, value in of(deployment).items() if key.startswith(PREFIX) and key != STATUS}


def parse(annotations: Mapping[str, str], containers: Sequence[str], profiles: Mapping[str, RolloutPolicy]) -> Request:
    """Read the trigger `image` and its companions.

    Raises:
        Misannotated: with all mistakes at once.
    """
    found: list[str] = []
    found += _unknown(annotations)
    strategy = _strategy(annotations.get(STRATEGY, Strategy.CANARY), found)
    images = _images(annotations[IMAGE], containers, found)
    policy = _policy(annotations, profiles, found)
    if found or policy is None or strategy is None:
        raise Misannotated(found)
    return Request(strategy=strategy, images=images, policy=policy)


def parse_brought(annotations: Mapping[str, str], profiles: Mapping[str, RolloutPolicy]) -> RolloutPolicy:
    """Read the companions of the trigger `baseline`, which stands on a canary that the user made.

    Raises:
        Misannotated: with all mistakes at once.
    """
    found = _unknown(annotations)
    found += [
        f"annotation {key} = {annotations[key]!r}: a Deployment with the annotation baseline is a canary already and "
        "has its own image; remove one of the two"
        for key in (IMAGE, STRATEGY)
        if key in annotations
    ]
    policy = _policy(annotations, profiles, found)
    if found or policy is None:
        raise Misannotated(found)
    return policy


def policy_of(annotations: Mapping[str, str], profiles: Mapping[str, RolloutPolicy]) -> RolloutPolicy:
    """Return the policy that the annotations `profile` and `config` make.

    Raises:
        Misannotated: with all mistakes at once.
    """
    found: list[str] = []
    policy = _policy(annotations, profiles, found)
    if policy is None:
        raise Misannotated(found)
    return policy


def asks(deployment: Mapping[str, Any]) -> bool:
    """Whether a Deployment carries a trigger."""
    found = of(deployment)
    return IMAGE in found or BASELINE in found


def _unknown(annotations: Mapping[str, str]) -> list[str]:
    return [
        f"annotation {key}: there is no such annotation; known are {', '.join(sorted(KNOWN))}"
        for key in annotations
        if key.startswith(PREFIX) and key not in KNOWN
    ]


def _strategy(value: str, found: list[str]) -> Strategy | None:
    if value in STRATEGIES:
        return Strategy(value)
    found.append(f"annotation {STRATEGY} = {value!r}: use one of {', '.join(STRATEGIES)}")
    return None


def _images(value: str, containers: Sequence[str], found: list[str]) -> dict[str, str]:
    """Read `IMAGE`, or `CONTAINER=IMAGE[,CONTAINER=IMAGE]`."""
    images: dict[str, str] = {}
    for part in value.split(","):
        container, equals, image = part.strip().rpartition("=")
        if not equals and len(containers) == 1:
            container = containers[0]
        if not image or any(character.isspace() for character in image):
            found.append(f"annotation {IMAGE} = {value!r}: {part!r} names no image; write IMAGE or CONTAINER=IMAGE")
        elif not container:
            found.append(
                f"annotation {IMAGE} = {value!r}: there are several containers ({', '.join(containers)}); "
                "write CONTAINER=IMAGE[,CONTAINER=IMAGE]"
            )
        elif container not in containers:
            found.append(
                f"annotation {IMAGE} = {value!r}: there is no container {container!r}; there is {', '.join(containers)}"
            )
        elif container in images:
            found.append(f"annotation {IMAGE} = {value!r}: container {container!r} is named twice")
        else:
            images[container] = image
    return images


def _policy(
    annotations: Mapping[str, str], profiles: Mapping[str, RolloutPolicy], found: list[str]
) -> RolloutPolicy | None:
    name = annotations.get(PROFILE, DEFAULT_PROFILE)
    if name not in profiles:
        found.append(f"annotation {PROFILE} = {name!r}: there is no such profile; there is {', '.join(profiles)}")
        return None
    text = annotations.get(CONFIG, "")
    if len(text) > CONFIG_LENGTH:
        found.append(f"annotation {CONFIG}: it has {len(text)} characters; at most {CONFIG_LENGTH} are read")
        return None
    try:
        fields = yaml.load(text, Loader=_PlainLoader) or {}  # noqa: S506  (a SafeLoader that refuses aliases)
    except Exception as error:  # of any kind: what yaml makes numbers and dates with lets its own mistakes through
        text = " ".join(str(error).split())
        found.append(f"annotation {CONFIG}: it is not YAML: {text} ({type(error).__name__})")
        return None
    if not isinstance(fields, dict):
        found.append(f"annotation {CONFIG} = {fields!r}: write fields of the policy, such as 'tick_seconds: 5'")
        return None
    try:
        return override(profiles[name], fields)
    except ValidationError as error:
        found.extend(f"annotation {CONFIG}: {mistake}" for mistake in mistakes(error))
        return None


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, by which a few lines could become gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not accepted: write the value out")
        return super().compose_node(parent, index)


def status_line(  # noqa: PLR0913 (one for each field)
    *, run: str, phase: str, weight: int, verdict: str, reason: str, waiting: str = "", advice: str = ""
) -> str:
    """Return the one line of JSON that users read in the annotation `status`; `advice` says what to do next."""
    fields = {"run": run, "phase": phase, "weight": weight, "verdict": verdict, "reason": reason[:REASON_LENGTH]}
    more = {"waiting": waiting, "what_now": advice}
    return json.dumps(fields | {name: text for name, text in more.items() if text}, ensure_ascii=False)


def tells_of_a_run(deployment: Mapping[str, Any]) -> bool:
    """Whether a Deployment's status speaks of a run that goes on."""
    phase = status_of(deployment).get("phase")
    return phase in set(Phase) - ENDED


def status_of(deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the status we last wrote, or an empty mapping where there is none or somebody garbled it."""
    try:
        status = json.loads(of(deployment).get(STATUS, "{}"))
    except (ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) and isinstance(status.get("phase"), str) else {}
