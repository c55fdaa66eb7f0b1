"""A cluster as the examples of the documentation want it: the API emulator with `flask-app` in two namespaces."""

import asyncio
import threading
import time
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import requests
import yaml

from canary_analyzer.cluster import records
from canary_analyzer.cluster.client import DEPLOYMENTS, SERVICES, VIRTUAL_SERVICES, Cluster
from canary_analyzer.rollout.phases import RAMPING, Phase
from canary_analyzer.rollout.plan import Offers
from canary_analyzer.rollout.policy import PROFILES
from canary_analyzer.routing.traffic import Traffic
from canary_analyzer.sandbox.api import ApiServer
from canary_analyzer.service.intake import take_in

ROOT = Path(__file__).parents[2]
APP = "flask-app"
NAMESPACES = ("default", "shop")
KINDS = {"Deployment": DEPLOYMENTS, "Service": SERVICES, "VirtualService": VIRTUAL_SERVICES}


@cache
def manifests():
    """The app's Deployment, Service and VirtualService as a user would apply them."""
    files = ("base/deployment.yaml", "base/service.yaml", "canary/route.yaml")
    texts = [(ROOT / "flask_app/manifests" / name).read_text() for name in files]
    found = [each for text in texts for each in yaml.load_all(text, Loader=yaml.CSafeLoader)]
    return {each["kind"]: each for each in found}


class Scene:
    """The cluster, and what has happened in it."""

    def __init__(self, folder):
        self._loop, self._server = asyncio.new_event_loop(), ApiServer()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._server.__aenter__())
        self.kubeconfig = folder / "kubeconfig"
        self._server.write_kubeconfig(self.kubeconfig)
        self.cluster = Cluster.connect(self.kubeconfig)
        self._make()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _make(self):
        shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
        requests.post(f"{self._server.url}/api/v1/namespaces", json=shop, timeout=10).raise_for_status()
        for namespace in NAMESPACES:
            for name, kind in KINDS.items():
                document = deepcopy(manifests()[name])
                document["metadata"]["namespace"] = namespace
                self.cluster.create(kind, document)
            self.roll_out(namespace, APP)

    def knows_prometheus_operator(self):
        """Let there be the kinds that it brings."""
        for kind in ("ServiceMonitor", "PrometheusRule"):
            plural, group = f"{kind.lower()}s", "monitoring.coreos.com"
            schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
            definition = {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {
                    "group": group,
                    "scope": "Namespaced",
                    "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
                },
            }
            path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            requests.post(f"{self._server.url}{path}", json=definition, timeout=10).raise_for_status()

    def close(self):
        self._call(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def roll_out(self, namespace, name):
        """Say what a workload controller says when all is done; there is none here."""
        live = self.cluster.get(DEPLOYMENTS, namespace, name)
        counts = dict.fromkeys(
            ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), live["spec"]["replicas"]
        )
        status = {"observedGeneration": live["metadata"]["generation"], **counts}
        self.cluster.merge(DEPLOYMENTS, namespace, f"{name}/status", {"status": status})

    def run(self, namespace, phase, number=1):
        """Let a run stand at this phase, the first or the one of this number; those before have ended."""
        past = records.of_deployment(self.cluster, namespace, APP)
        if past and not past[-1].run.ended:
            self._save(past[-1], Phase.SUCCEEDED)
        for _ in range(number - 1 - len(past)):
            self._save(self._begun(namespace), Phase.SUCCEEDED)
        self._save(self._begun(namespace), phase)

    def _begun(self, namespace):
        """Return the record of a run as the service would take it in."""
        number = len(records.of_deployment(self.cluster, namespace, APP))
        self._annotate(namespace, image="flask-app:v2", request=str(number))
        live = self.cluster.get(DEPLOYMENTS, namespace, APP)
        return take_in(self.cluster, live, None, Offers(profiles=PROFILES), time.time() - 120)

    def _save(self, record, phase):
        stage = {"stage": "analyse", "weight": 5, "traffic": Traffic(weight=5)} if phase in RAMPING else {}
        moved = record.run.model_copy(update={"phase": phase, "reason": "by the figures", **stage})
        records.save(self.cluster, replace(record, run=moved.noting("so it went", time.time())))
        if moved.ended:
            self._annotate(moved.namespace, image=None)

    def _annotate(self, namespace, **values):
        named = {f"canary-analyzer.io/{name}": value for name, value in values.items()}
        self.cluster.merge(DEPLOYMENTS, namespace, APP, {"metadata": {"annotations": named}})
        self.roll_out(namespace, APP)
