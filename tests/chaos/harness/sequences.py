"""Random sequences of what users do, what breaks and when the service is killed; each follows from its seed."""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime
from random import Random

from canary_analyzer.rollout import annotations
from canary_analyzer.sandbox.client import (
    CONFIGMAPS,
    DEPLOYMENTS,
    EVENTS,
    HORIZONTALPODAUTOSCALERS,
    HTTPROUTES,
    REPLICASETS,
    VIRTUALSERVICES,
    Resource,
)
from canary_analyzer.sandbox.faults import (
    CONFLICT,
    GONE,
    INTERNAL,
    TOO_MANY,
    UNAVAILABLE,
    CutWatch,
    Drop,
    DuplicateEvents,
    ExpireWatch,
    ReorderEvents,
    Rule,
    Slow,
    Stale,
    Truncate,
)
from canary_analyzer.sandbox.faults.rules import Action
from harness.apps import CASES, Case
from harness.arena import START, Arena
from harness.emulator import Document, Refused
from harness.fates import demoted, misjudged
from harness.rest import ENDED, Belongings, unsettled
from harness.traffic import Quality

ACTIONS = (6, 16)
"""Fewest and most actions of a sequence."""
PAUSE = (0.2, 14.0)
"""Seconds from one action to the next."""
REST = 1000.0
"""Seconds until everything must be over: longer than any deadline of the policy, promotion and way back included."""
QUIET = 25.0
"""Seconds that it must stay over: a wish is taken in a moment later."""

FAULTS = (
    CONFLICT,
    GONE,
    INTERNAL,
    TOO_MANY,
    UNAVAILABLE,
    Drop(),
    Drop(after=True),
    Slow(seconds=2.0),
    Slow(seconds=20.0),
    Truncate(),
    CutWatch(events=1),
    DuplicateEvents(),
    ReorderEvents(),
    ExpireWatch(),
)
LISTS = "/[a-z]+s$"


class Sequence:
    """One app and a few minutes of its life.

    Args:
        chance: draws everything.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self.case: Case = self._chance.choice(list(CASES.values()))
        self.arena: Arena = self.case.arena(seed=self._chance.randrange(2**32))
        self._belongings = Belongings.of(self.arena)
        self._wished: Counter[str] = Counter()
        self._uncounted: set[str] = set()
        """Names of runs of which a record was deleted."""
        self._allowed = {"app:v1"}
        self._open: tuple[str, float] | None = None
        """The newest wish and its time, while no user has done anything that could undo it."""
        self._answers = {"CanaryRefused"}
        """Reasons of Events that answer a wish."""
        self._touched = 0.0
        """When a user has last changed what the app runs."""
        self._lost: dict[str, Document] = {}
        self._newest = 2
        self.story: list[str] = []
        self._actions: tuple[Callable[[], str], ...] = (
            self.ask,
            self.ask,
            self.ask,
            self.withdraw,
            self.hold,
            self.let_go,
            self.answer,
            self.abort,
            self.edit_route,
            self.revert_route,
            self.delete_route,
            self.scale,
            self.change_template,
            self.undo,
            self.delete_canary,
            self.delete_deployment,
            self.delete_record,
            self.samples,
            self.samples,
            self.break_api,
            self.break_api,
            self.mend_api,
            self.kill,
            self.kill_soon,
        )

    def play(self) -> list[str]:
        """Return all that went wrong."""
        self._do(self.ask)
        for _ in range(self._chance.randint(*ACTIONS)):
            self._do(self._chance.choice(self._actions))
        return self._come_to_rest()

    def told(self) -> Iterator[str]:
        """Each run, and why it is where it is."""
        for run in self.arena.runs():
            yield f"{run['name']} of {run['trigger']}: {run['phase']} at {run['stage']}; {run['reason']}"

    def _do(self, action: Callable[[], str]) -> None:
        try:
            told = action()
        except Refused as refused:
            told = f"{action.__name__}: {refused}"
        if not told:
            return
        self.arena.take_as_given()
        self.story.append(f"{self.arena.elapsed:6.1f} s  {told}")
        self.arena.run(self._chance.uniform(*PAUSE))

    def _come_to_rest(self) -> list[str]:
        for action in (self.mend_api, self.let_go, self.recover):
            self._do(action)
        self.arena.kill_at = 0
        until, quiet = self.arena.now + REST, 0.0
        while self.arena.now < until and quiet < QUIET:
            self.arena.run(5.0)
            quiet = quiet + 5.0 if self._is_over() else 0.0
        self.arena.end()
        return list(self._wrong())

    def _is_over(self) -> bool:
        left = (*unsettled(self.arena), *self._belongings.wrong(self.arena))
        return not left and set(self.arena.phases()) <= ENDED

    def _wrong(self) -> Iterator[str]:
        yield from self.arena.violations
        yield from self._belongings.wrong(self.arena)
        yield from unsettled(self.arena)
        yield from self._wrong_images()
        yield from misjudged(self.arena)
        yield from demoted(self.arena, self._touched)
        yield from self._swallowed()
        counted = [run for run in self.arena.runs() if run["name"] not in self._uncounted]
        started = Counter(run["trigger"] for run in counted if run["trigger"] in self._wished)
        for image, runs in started.items():
            if runs > self._wished[image]:
                yield f"{image} was asked for {self._wished[image]} times and started {runs} times"

    def _swallowed(self) -> Iterator[str]:
        if self._open is None:
            return
        image, at = self._open
        started = any(run["trigger"] == image and run["started"] >= at for run in self.arena.runs())
        told = {each["reason"] for each in self.arena.emulator.all(EVENTS) if _time(each["lastTimestamp"]) >= int(at)}
        if not started and not told & self._answers:
            yield f"{image} was asked for at {at - START:.1f} s, and neither started nor refused"

    def _wrong_images(self) -> Iterator[str]:
        runs = [run for run in self.arena.runs() if run["phase"] == "Succeeded"]
        promoted = {image for run in runs for image in run["images"].values()}
        for image in self.arena.images():
            if image not in self._allowed | promoted:
                yield f"{image} runs, but nobody has promoted it"

    # Users -----------------------------------------------------------------------------------------------------------

    def ask(self) -> str:
        """Ask for a new version, or for one once more."""
        if self.case.subject != "app":
            self.case.ask(self.arena)
            return f"asks that {self.case.subject} is judged"
        image = f"app:v{self._newest}"
        self._newest += self._chance.random() < 0.8
        if self._chance.random() < 0.1:
            image = "app:crash"
        self._wished[image] += 1
        live = self.arena.emulator.find(DEPLOYMENTS, "app")
        wanted = {run["trigger"] for run in self.arena.runs() if run["phase"] not in ENDED}
        if live is not None and image != annotations.of(live).get(annotations.IMAGE):  # else nothing new is wished
            self._open = (image, self.arena.now) if image not in wanted else None
        self.case.ask(self.arena)
        self.arena.annotate(image=image)
        return f"asks for {image}"

    def withdraw(self) -> str:
        """Take the trigger away."""
        self._open = None
        trigger = "baseline" if "baseline" in self.case.trigger else "image"
        self.arena.annotate(self.case.subject, **{trigger: None})
        return f"removes the annotation {trigger}"

    def hold(self) -> str:
        """Freeze the ramp."""
        self.arena.annotate(self.case.subject, hold="true")
        return "holds"

    def let_go(self) -> str:
        """Let the ramp go on."""
        if self.arena.emulator.find(DEPLOYMENTS, self.case.subject) is None:
            return ""
        self.arena.annotate(self.case.subject, hold=None)
        return "lets go"

    def answer(self) -> str:
        """Approve, or promote by hand."""
        wish = self._chance.choice(["approve", "promote"])
        if wish == "promote" and self.case.name == "blue-green":
            return ""  # its stable loses all pods when it rolls out: whoever promotes at 0 % has asked for that
        return self._name_run(wish)

    def abort(self) -> str:
        """Abort the newest run."""
        return self._name_run("abort")

    def _name_run(self, wish: str) -> str:
        names = [run["name"] for run in self.arena.runs() if run["phase"] not in ENDED]
        if not names:
            return ""
        self.arena.annotate(self.case.subject, **{wish: names[-1]})
        return f"{wish}s {names[-1]}"

    def edit_route(self) -> str:
        """Change what is the user's own of the route."""
        timeout = f"{self._chance.randint(1, 9)}s"
        return self._edit_route(lambda spec: _with_timeout(spec, timeout), f"gives the route a timeout of {timeout}")

    def revert_route(self) -> str:
        """Put the route back as Git has it, as GitOps tools do."""
        kind, name = self._route()
        mine = self._belongings.documents.get((kind, name))
        if mine is None or self.arena.emulator.find(kind, name) is None:
            return ""
        self.arena.emulator.merge(kind, name, {"spec": mine["spec"]})
        return "puts the route back as it is in Git"

    def delete_route(self) -> str:
        """Delete the route, or make it anew."""
        kind, name = self._route()
        if self._chance.random() < 0.5:
            return ""
        return self._delete_or_make_anew(kind, name)

    def scale(self) -> str:
        """Give stable another size."""
        replicas = self._chance.randint(1, 5)
        mine = self._belongings.documents.get((DEPLOYMENTS, "app"))
        if mine is None or self.arena.emulator.all(HORIZONTALPODAUTOSCALERS):
            return ""  # where there is an autoscaler, the size is its affair
        self.arena.emulator.merge(DEPLOYMENTS, "app", {"spec": {"replicas": replicas}})
        mine["spec"]["replicas"] = replicas
        return f"scales to {replicas}"

    def change_template(self) -> str:
        """Deploy something by hand."""
        mine = self._belongings.documents.get((DEPLOYMENTS, "app"))
        if mine is None:
            return ""
        self._open = None
        self._answers.add("CanaryIgnored")
        label = {"metadata": {"annotations": {"deployed": str(self._chance.randint(0, 999))}}}
        self.arena.emulator.merge(DEPLOYMENTS, "app", {"spec": {"template": label}})
        self._adopt_template(mine)
        return "changes the pod template"

    def undo(self) -> str:
        """`kubectl rollout undo`: the template and the annotations of the ReplicaSet before."""
        mine, live = self._belongings.documents.get((DEPLOYMENTS, "app")), self.arena.emulator.find(DEPLOYMENTS, "app")
        older = [each for each in self.arena.emulator.all(REPLICASETS) if each["metadata"]["name"].startswith("app-")]
        older = [
            each for each in older if live and each["metadata"]["ownerReferences"][0]["uid"] == live["metadata"]["uid"]
        ]
        if mine is None or live is None or len(older) < 2:
            return ""
        chosen = sorted(older, key=_revision)[-2]
        template = deepcopy(chosen["spec"]["template"])
        template["metadata"]["labels"].pop("pod-template-hash")
        kept = {key: value for key, value in live["metadata"].get("annotations", {}).items() if "deployment.k" in key}
        given = {k: v for k, v in chosen["metadata"].get("annotations", {}).items() if "deployment.k" not in k}
        operations = [
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "replace", "path": "/metadata/annotations", "value": {**kept, **given}},
        ]
        self.arena.emulator.patch(DEPLOYMENTS, "app", operations)
        image = given.get(annotations.IMAGE)
        self._open, self._touched = None, self.arena.now
        self._answers.add("CanaryIgnored")
        self._adopt_template(mine)
        self._allowed |= set(self.arena.images())
        return f"undoes the rollout, back to {self.arena.images()} with image: {image}"

    def _adopt_template(self, mine: Document) -> None:
        live = self.arena.emulator.find(DEPLOYMENTS, "app") or {}
        mine["spec"]["template"] = deepcopy(live["spec"]["template"])

    def delete_canary(self) -> str:
        """Delete what the run made."""
        if self.case.subject != "app" or self.arena.emulator.find(DEPLOYMENTS, "app-canary") is None:
            return ""
        self.arena.emulator.delete(DEPLOYMENTS, "app-canary")
        return "deletes app-canary"

    def delete_deployment(self) -> str:
        """Delete the annotated Deployment, or make it anew."""
        if self._chance.random() < 0.6:
            return ""
        return self._delete_or_make_anew(DEPLOYMENTS, self.case.subject)

    def _delete_or_make_anew(self, kind: Resource, name: str) -> str:
        if self.arena.emulator.find(kind, name) is None:
            self.arena.emulator.create(kind, _fresh(self._lost[kind.plural]))
            self._belongings.documents[kind, name] = self._lost[kind.plural]
            return f"makes {kind.plural}/{name} anew"
        if kind == DEPLOYMENTS:
            self._forget_runs()
        self._lost[kind.plural] = self._belongings.documents.pop((kind, name))
        self.arena.emulator.delete(kind, name)
        return f"deletes {kind.plural}/{name}"

    def delete_record(self) -> str:
        """Delete the ConfigMap of an active run."""
        names = [run["name"] for run in self.arena.runs() if run["phase"] not in ENDED]
        if not names or self._chance.random() < 0.7:
            return ""
        self._forget_runs()
        self.arena.emulator.delete(CONFIGMAPS, f"canary-run-{names[-1]}")
        return f"deletes the record of {names[-1]}"

    def _forget_runs(self) -> None:
        """Runs are counted by their records, and what was promoted is told from them: some are gone now."""
        self._open, self._touched = None, self.arena.now
        self._wished.clear()
        self._uncounted |= {run["name"] for run in self.arena.runs()}
        self._allowed |= {image for run in self.arena.runs() for image in run["images"].values()}

    # What breaks -----------------------------------------------------------------------------------------------------

    def samples(self) -> str:
        """Let the new version fare otherwise, or Prometheus go."""
        self.arena.quality = self._chance.choice(list(Quality))
        return f"metrics: {self.arena.quality.value}"

    def recover(self) -> str:
        """Let everything be well."""
        self.arena.quality = Quality.GOOD
        return "metrics: good"

    def break_api(self) -> str:
        """Let some requests fail from now on."""
        actions = self._chance.sample(FAULTS, k=self._chance.randint(1, 3))
        rules = [self._rule(action) for action in actions]
        if self._chance.random() < 0.3:
            rules.append(Rule(action=Stale(), path=LISTS, probability=0.5))
        self.arena.wire.play(*rules, seed=self._chance.randrange(2**32))
        return f"API faults: {', '.join(str(rule.action) for rule in rules)}"

    def _rule(self, action: Action) -> Rule:
        often = 3 if isinstance(action, Slow) else self._chance.choice([2, 10, 50])
        return Rule(action=action, probability=self._chance.choice([0.05, 0.2, 0.6]), times=often)

    def mend_api(self) -> str:
        """Let all requests pass."""
        self.arena.wire.play()
        return "no more API faults"

    def kill(self) -> str:
        """Kill the service between two passes."""
        self.arena.down_seconds = self._chance.choice([0.0, 3.0, 30.0])
        self.arena.kill()
        return f"kills the service for {self.arena.down_seconds:.0f} s"

    def kill_soon(self) -> str:
        """Kill it right after one of its next writes."""
        self.arena.down_seconds = self._chance.choice([0.0, 3.0, 30.0])
        self.arena.kill_at = len(self.arena.writes) + self._chance.randint(1, 4)
        return f"kills the service at write {self.arena.kill_at} for {self.arena.down_seconds:.0f} s"

    # Documents -------------------------------------------------------------------------------------------------------

    def _route(self) -> tuple[Resource, str]:
        return (HTTPROUTES if self.case.route_kind == "HTTPRoute" else VIRTUALSERVICES), "app"

    def _edit_route(self, change: Callable[[Document], None], told: str) -> str:
        kind, name = self._route()
        live, mine = self.arena.emulator.find(kind, name), self._belongings.documents.get((kind, name))
        if live is None or mine is None:
            return ""
        spec = deepcopy(live["spec"])
        for each in (spec, mine["spec"]):
            change(each)
        self.arena.emulator.merge(kind, name, {"spec": spec})
        return told


def _with_timeout(spec: Document, timeout: str) -> None:
    for rule in spec.get("http", []):
        rule["timeout"] = timeout
    for rule in spec.get("rules", []):
        rule["timeouts"] = {"request": timeout}


def _time(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def _revision(replicaset: Document) -> int:
    return int(replicaset["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", 0))


def _fresh(document: Document) -> Document:
    """What a user would create it from."""
    found = document["metadata"].get("annotations") or {}
    kept = {k: v for k, v in found.items() if not k.startswith(annotations.PREFIX) and "kubernetes.io" not in k}
    metadata = {"name": document["metadata"]["name"], "annotations": kept}
    return deepcopy(
        {**{key: document[key] for key in ("apiVersion", "kind", "spec") if key in document}, "metadata": metadata}
    )
