"""What users do to an app, and what they may expect of it."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from random import Random

from canary_analyzer.rollout import annotations, rolling_spec
from canary_analyzer.sandbox.client import (
    CONFIGMAPS,
    DEPLOYMENTS,
    HORIZONTALPODAUTOSCALERS,
    HTTPROUTES,
    REPLICASETS,
    VIRTUALSERVICES,
    Resource,
)
from harness.apps import Case
from harness.arena import Arena
from harness.emulator import Document
from harness.rest import ENDED, Belongings


class Users:
    """All who may write to the app's namespace; each action tells what it did, or nothing where it could do nothing.

    Args:
        chance: draws what they do.
        case: what they use.
        arena: where.
        belongings: what is theirs; follows what they change.
    """

    def __init__(self, chance: Random, case: Case, arena: Arena, belongings: Belongings) -> None:
        self._chance, self._belongings = chance, belongings
        self.case, self.arena = case, arena
        self.wished: Counter[str] = Counter()
        self.uncounted: set[str] = set()
        """Names of runs of which a record was deleted."""
        self.allowed = {"app:v1"}
        self.open: tuple[str, float] | None = None
        """The newest wish and its time, while no user has done anything that could undo it."""
        self.answers = {"CanaryRefused"}
        """Reasons of Events that answer a wish."""
        self.touched = 0.0
        """When a user has last changed what the app runs."""
        self._mark_is_lost = self._pace_is_lost = False
        self._lost: dict[str, Document] = {}
        self._newest = 2

    def ask(self) -> str:
        """Ask for a new version, or for one once more."""
        if self.case.subject != "app":
            self.case.ask(self.arena)
            return f"asks that {self.case.subject} is judged"
        image = self._wished()
        live = self.arena.emulator.find(DEPLOYMENTS, "app")
        wanted = {run["trigger"] for run in self.arena.runs() if run["phase"] not in ENDED}
        if live is not None and image != annotations.of(live).get(annotations.IMAGE):  # else nothing new is wished
            self.open = (image, self.arena.now) if image not in wanted else None
        self.case.ask(self.arena)
        self.arena.annotate(image=image)
        return f"asks for {image}"

    def _wished(self) -> str:
        """Draw an image, and count that it is asked for."""
        image = f"app:v{self._newest}"
        self._newest += self._chance.random() < 0.8
        if self._chance.random() < 0.1:
            image = "app:crash"
        self.wished[image] += 1
        return image

    def withdraw(self) -> str:
        """Take the trigger away."""
        self.open = None
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
        return self._name_run(self._chance.choice(["approve", "promote"]))

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
        self.open = None
        self.answers.add("CanaryIgnored")
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
        self.open, self.touched = None, self.arena.now
        self.answers.add("CanaryIgnored")
        self._adopt_template(mine)
        # An undo takes our mark along; where the record is deleted as well, it may be that nobody knows how it was.
        self._mark_is_lost |= rolling_spec.is_marked(live)
        self._pace_is_lost |= self._mark_is_lost and set(self.arena.phases()) <= ENDED
        self.allowed |= set(self.arena.images())
        return f"undoes the rollout, back to {self.arena.images()} with image: {image}"

    def _adopt_template(self, mine: Document) -> None:
        live = self.arena.emulator.find(DEPLOYMENTS, "app") or {}
        mine["spec"]["template"] = deepcopy(live["spec"]["template"])

    def take_as_theirs(self) -> None:
        """Let what nobody may know any more be theirs as it is."""
        mine, live = self._belongings.documents.get((DEPLOYMENTS, "app")), self.arena.emulator.find(DEPLOYMENTS, "app")
        if not self._pace_is_lost or mine is None or live is None:
            return
        for field in ("minReadySeconds", "paused"):
            mine["spec"].pop(field, None)
            mine["spec"] |= {field: live["spec"][field]} if field in live["spec"] else {}

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
            return self._make_anew(kind, name)
        if kind == DEPLOYMENTS:
            self._forget_runs()
        self._lost[kind.plural] = self._belongings.documents.pop((kind, name))
        self.arena.emulator.delete(kind, name)
        return f"deletes {kind.plural}/{name}"

    def _make_anew(self, kind: Resource, name: str) -> str:
        document, told = _fresh(self._lost[kind.plural]), f"makes {kind.plural}/{name} anew"
        if (kind, name) == (DEPLOYMENTS, "app") and self._chance.random() < 0.5:
            image = self._wished()
            wish = {annotations.PREFIX + key: value for key, value in {**self.case.wish, "image": image}.items()}
            document["metadata"]["annotations"] |= wish
            self.open, told = (image, self.arena.now), f"{told}, asking for {image} in its manifest"
        self.arena.emulator.create(kind, document)
        self._belongings.documents[kind, name] = self._lost[kind.plural]
        return told

    def delete_record(self) -> str:
        """Delete the ConfigMap of an active run."""
        names = [run["name"] for run in self.arena.runs() if run["phase"] not in ENDED]
        if not names or self._chance.random() < 0.7:
            return ""
        self._forget_runs()
        self._pace_is_lost |= self._mark_is_lost
        self.arena.emulator.delete(CONFIGMAPS, f"canary-run-{names[-1]}")
        return f"deletes the record of {names[-1]}"

    def _forget_runs(self) -> None:
        """Runs are counted by their records, and what was promoted is told from them: some are gone now.

        A wish that no run has taken up yet is still to be counted.
        """
        self.open, self.touched = None, self.arena.now
        self.wished = self._pending()
        self.uncounted |= {run["name"] for run in self.arena.runs()}
        self.allowed |= {image for run in self.arena.runs() for image in run["images"].values()}

    def _pending(self) -> Counter[str]:
        live = self.arena.emulator.find(DEPLOYMENTS, "app")
        wished = {annotations.of(live).get(annotations.IMAGE)} if live is not None else set()
        running = {run["trigger"] for run in self.arena.runs() if run["phase"] not in ENDED}
        return Counter(wished - running - {None})

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
