"""An app in a namespace of its own, under load, with a service: what its user does and sees."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import requests
import yaml

from canary_analyzer.cluster.client import (
    AUTHORIZATION_POLICIES,
    AUTOSCALERS,
    CONFIGMAPS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    DISRUPTION_BUDGETS,
    HTTP_ROUTES,
    MANAGER,
    NETWORK_POLICIES,
    PODS,
    SERVICES,
    VIRTUAL_SERVICES,
    Kind,
)
from canary_analyzer.rollout import annotations
from canary_analyzer.rollout.phases import ENDED
from tests.benchmarks.processes import Program
from tests.e2e.zero_loss.client import REQUESTS_PER_SECOND, Client
from tests.e2e.zero_loss.place import Place

NAME = "flask-app"
PATIENCE_SECONDS, POLL_SECONDS = 180.0, 0.25
AFTERWARDS_SECONDS = 2.0
"""Of load after the end: what was deleted too early shows a little later."""
KINDS: Mapping[str, Kind] = {
    "Deployment": DEPLOYMENTS,
    "Service": SERVICES,
    "VirtualService": VIRTUAL_SERVICES,
    "DestinationRule": DESTINATION_RULES,
    "HTTPRoute": HTTP_ROUTES,
    "HorizontalPodAutoscaler": AUTOSCALERS,
    "PodDisruptionBudget": DISRUPTION_BUDGETS,
    "NetworkPolicy": NETWORK_POLICIES,
    "AuthorizationPolicy": AUTHORIZATION_POLICIES,
}
NOT_THE_USERS = frozenset({annotations.STATUS, "deployment.kubernetes.io/revision"})
Document = dict[str, Any]
Key = tuple[str, str]
"""Kind and name."""


class Unexpected(AssertionError):
    """Something else happened than should have."""


def reached(url: str, host: str) -> bool:
    """Whether the mesh brings a request to a pod."""
    return requests.get(f"{url}/work", headers={"Host": host}, timeout=PATIENCE_SECONDS).ok


class App:
    """The sample app, or whatever a scenario makes of it, in a namespace of its own."""

    def __init__(self, place: Place, namespace: str, config: Document) -> None:
        self.place, self.namespace, self.cluster = place, namespace, place.cluster
        self.idle: dict[Key, Document] = {}
        """What is the user's own in the namespace, and how it is to look at the end."""
        place.namespace(namespace)
        prometheus = {"url": place.addresses["prometheus"], "staleness_seconds": 5}
        whole = {"namespaces": [namespace], "prometheus": prometheus} | config
        file = place.folder / f"{namespace}.yaml"
        file.write_text(yaml.safe_dump(whole))
        self.where = ["--kubeconfig", place.addresses["kubeconfig"], "--config", str(file)]
        self.service = Program(
            ["serve", *self.where, "--http-port", "0"], place.folder / f"{namespace}.log", says='"serving"'
        )
        self.client: Client

    # Before and after ------------------------------------------------------------------------------------------------

    def make(self, documents: Sequence[Document]) -> None:
        """Create what the user has, and wait until his Deployments are rolled out."""
        for document in deepcopy(documents):
            document["metadata"]["namespace"] = self.namespace
            self.place.write("POST", KINDS[document["kind"]].path(self.namespace), document)
        for document in documents:
            if document["kind"] == "Deployment":
                self.rolled_out(document["metadata"]["name"])

    def call(self, by: str, host: str) -> None:
        """Call a host steadily by the `ingress` or the `sidecar`, and take what there is now for the idle state.

        A mesh that hears late does not know new pods when they are ready: what it would lose then is nobody's doing.
        """
        self.until(lambda: reached(self.place.addresses[by], host), "the mesh to know the pods")
        self.client = Client(self.place.folder / f"{self.namespace}.sock", self.place.addresses[by], host)
        self.until(self.client.up, "the client to be up")
        self.client.load(rps=REQUESTS_PER_SECOND)
        self.until(lambda: self.client.counts()["sent"] > REQUESTS_PER_SECOND, "requests")
        self.idle = self.snapshot()
        self.service.start()

    def over(self) -> dict[str, Any]:
        """Go on calling for a moment, then stop, and return what became of all requests."""
        time.sleep(AFTERWARDS_SECONDS)
        return self.client.drained()

    def clear(self) -> None:
        """End its processes and pods."""
        self.service.kill()
        if hasattr(self, "client"):
            self.client.stop()
        for kind in (VIRTUAL_SERVICES, HTTP_ROUTES, DESTINATION_RULES, AUTOSCALERS, DEPLOYMENTS, SERVICES):
            for document in self._list(kind):
                name = document["metadata"]["name"]
                self._merge(kind, name, {"metadata": {"finalizers": None}})
                self.cluster.delete(kind, self.namespace, name)

    def snapshot(self) -> dict[Key, Document]:
        """What is the user's own of every object: all but what the API server and we keep about it."""
        found = {}
        for name, kind in KINDS.items():
            for document in self.cluster.list(kind, self.namespace).items:
                found[name, document["metadata"]["name"]] = _own(document)
        return found

    def differences(self) -> list[str]:
        """Say what is not as it was, or as the user has made it since."""
        now = self.snapshot()
        wrong = [f"{' '.join(key)} is left" for key in now.keys() - self.idle.keys()]
        wrong += [f"{' '.join(key)} is gone" for key in self.idle.keys() - now.keys()]
        for key in self.idle.keys() & now.keys():
            wrong += [
                f"{' '.join(key)} {part}: {now[key][part]} instead of {was}"
                for part, was in self.idle[key].items()
                if now[key][part] != was
            ]
        owned = [kind for kind in (VIRTUAL_SERVICES, HTTP_ROUTES) for each in self._list(kind) if _is_ours(each)]
        return wrong + [f"managedFields of some {kind.plural} still name us" for kind in owned]

    # What the user sees ----------------------------------------------------------------------------------------------

    def until(self, check: Callable[[], Any], what: str, patience: float = PATIENCE_SECONDS) -> Any:
        """Return the first truthy answer."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if found := check():
                return found
            time.sleep(POLL_SECONDS)
        raise Unexpected(f"not within {patience:.0f} s: {what}; status: {self.status()}")

    def get(self, kind: str, name: str = NAME) -> Document:
        return self.cluster.get(KINDS[kind], self.namespace, name)

    def image(self, name: str = NAME) -> str:
        return str(self.get("Deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"])

    def status(self, name: str = NAME) -> dict[str, Any]:
        found = self.cluster.find(DEPLOYMENTS, self.namespace, name)
        return dict(annotations.status_of(found)) if found is not None else {}

    def run(self) -> dict[str, Any]:
        """The newest record of a run; empty before the first."""
        records = [json.loads(each["data"]["run.json"]) for each in self._list(CONFIGMAPS) if "data" in each]
        return max(records, key=lambda run: run["started"], default={})

    def pods(self, name: str) -> list[Document]:
        """The pods of a Deployment that are not being deleted."""
        pattern = re.compile(rf"{name}-[a-z0-9]+-[a-z0-9]+")
        live = (pod for pod in self._list(PODS) if "deletionTimestamp" not in pod["metadata"])
        return [pod for pod in live if pattern.fullmatch(pod["metadata"]["name"])]

    def weight(self) -> int:
        """The canary's weight as the run wants it; -1 without a run."""
        return int(self.run().get("weight", -1))

    def at(self, weight: int) -> None:
        """Wait until samples are gathered at a weight."""
        self.until(
            lambda: (run := self.run()) and (run["weight"], run["stage"]) == (weight, "analyse"), f"weight {weight}"
        )

    def at_stage(self, stage: str, phase: str | None = None) -> None:
        """Wait for a stage of the run."""
        self.until(
            lambda: (run := self.run()) and run["stage"] == stage and phase in (None, run["phase"]), f"stage {stage}"
        )

    def in_phase(self, *phases: str, name: str = NAME) -> None:
        self.until(lambda: self.status(name).get("phase") in phases, f"phase {phases}")

    def rolled_out(self, name: str = NAME) -> None:
        """Wait until all pods are of the newest template and Available."""

        def whole() -> bool:
            deployment = self.get("Deployment", name)
            status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
            seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
            counts = ("replicas", "updatedReplicas", "availableReplicas")
            return seen and all(status.get(count) == replicas for count in counts)

        self.until(whole, f"the rollout of {name}")

    def ends(self, phase: str, *words: str, name: str = NAME, promoted: str = "") -> None:
        """Wait for the end of the run; raises Unexpected where it is another, or its reason lacks one of the words."""
        self.until(lambda: not self._active() and self.status(name).get("phase") in ENDED, "the end of the run")
        status = self.status(name)
        if status["phase"] != phase or any(word not in status["reason"] for word in words):
            raise Unexpected(f"{status['phase']}: {status['reason']}; expected {phase} {' '.join(words)}")
        if promoted:
            self.idle["Deployment", NAME]["spec"]["template"]["spec"]["containers"][0]["image"] = promoted

    def _active(self) -> bool:
        return bool(self.cluster.list(CONFIGMAPS, self.namespace, "canary-analyzer.io/active=true").items)

    def _list(self, kind: Kind) -> Sequence[Document]:
        return self.cluster.list(kind, self.namespace).items

    # What the user does ----------------------------------------------------------------------------------------------

    def annotate(self, deployment: str = NAME, /, **values: str | None) -> None:
        named = {annotations.PREFIX + key: value for key, value in values.items()}
        self._merge(DEPLOYMENTS, deployment, {"metadata": {"annotations": named}})

    def start(self, image: str, **companions: str) -> None:
        """Ask for a canary and return when it is taken in; companions stay on the Deployment, as users leave them."""
        before = self.run().get("name")
        self.annotate(image=f"{NAME}:{image}", **companions)
        named = {annotations.PREFIX + key: value for key, value in companions.items() if key != "hold"}
        self.idle["Deployment", NAME]["annotations"] |= named
        self.until(lambda: self.run().get("name") != before, f"a run of {image}")

    def edit(self, kind: str, change: Callable[[Document], None], name: str = NAME) -> None:
        """Change an object the way `kubectl edit` does, and remember that it is to stay so."""
        document = self.get(kind, name)
        change(document)
        self._merge(KINDS[kind], name, {"spec": document["spec"]})
        if (kind, name) in self.idle:
            change(self.idle[kind, name])

    def revert(self) -> None:
        """Write the VirtualService as it was before the run, as GitOps tools do."""
        spec = self.idle["VirtualService", NAME]["spec"]
        self._merge(VIRTUAL_SERVICES, NAME, {"spec": {"http": spec["http"]}})

    def delete(self, kind: str, name: str = NAME) -> None:
        self.cluster.delete(KINDS[kind], self.namespace, name)
        self.idle.pop((kind, name), None)

    def kill_pod(self, deployment: str) -> None:
        """kill -9 all processes of one pod, the one that was killed least often: twice in a row is a crash loop."""
        pod = min(self.pods(deployment), key=_restarts)["metadata"]["name"]
        self.place.control(f"pods/{self.namespace}/{pod}/kill")
        self.client.killed(pod)

    def _merge(self, kind: Kind, name: str, patch: Document) -> None:
        self.place.write("PATCH", kind.path(self.namespace, name), patch)


def _restarts(pod: Document) -> int:
    return sum(status.get("restartCount", 0) for status in pod["status"].get("containerStatuses") or [])


def _own(document: Document) -> Document:
    metadata = document["metadata"]
    noted = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in NOT_THE_USERS}
    return {
        "spec": document.get("spec"),
        "labels": metadata.get("labels") or {},
        "annotations": noted,
        "finalizers": metadata.get("finalizers") or [],
    }


def _is_ours(route: Document) -> bool:
    return any(entry.get("manager") == MANAGER for entry in route["metadata"].get("managedFields") or [])
