"""The whole service, put together and run until it is told to stop."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster.cache import Cache
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.service import http, memory, samples
from canary_analyzer.service.agenda import Agenda
from canary_analyzer.service.archive import Archive
from canary_analyzer.service.health import Health
from canary_analyzer.service.notifications.notifier import Notifications
from canary_analyzer.service.pages import Pages
from canary_analyzer.service.pulse import Pulse
from canary_analyzer.service.reconcile import Ports
from canary_analyzer.service.reload import ConfigFile, Reloader
from canary_analyzer.service.replicas import Alone, Replicas
from canary_analyzer.service.rollouts import Rollouts
from canary_analyzer.service.settings import PrometheusSettings, ReplicaSettings, ServiceSettings
from canary_analyzer.service.sharing import Sharing
from canary_analyzer.service.telemetry import Telemetry
from canary_analyzer.service.watcher import Watcher
from canary_analyzer.service.webhooks import Webhooks

log = structlog.get_logger()

IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
PASSES_SECONDS, LEASE_SECONDS = 25.0, 10.0
"""So long, when it is told to stop, the service waits for passes to end and for its Lease to be given up.

What it waits for may hang; chart/templates/deployment.yaml has terminationGracePeriodSeconds above the sum.
"""


def serve(settings: ServiceSettings, kubeconfig: Path | None, file: ConfigFile | None = None) -> None:
    """Run until SIGTERM or SIGINT; the pass in hand is finished first, or cut off where it takes too long.

    Args:
        settings: in force.
        kubeconfig: how the cluster is reached; None: from inside it.
        file: where the settings come from; it is read again when it changes.

    Raises:
        ClusterError: the kubeconfig cannot be used.
    """
    memory.spare_memory()
    parts = _put_together(settings, kubeconfig)
    server = http.serve(settings.http.host, settings.http.port, parts.sources)
    told_to_stop = _on_signal()
    _begin(parts, settings, file)
    log.info("serving", http=f"http://{settings.http.host}:{server.server_port}", prometheus=settings.prometheus.url)
    told_to_stop.wait()
    log.info("stopping after the passes in hand; runs go on with the next start")
    ended = within(PASSES_SECONDS, parts.agenda.close)
    if isinstance(parts.shards, Replicas):
        within(LEASE_SECONDS, parts.shards.release)
    server.shutdown()
    if not ended:
        log.warning("a pass did not end in time and is cut off; its run goes on from what its record says")
        os._exit(0)  # else the interpreter waits for its thread


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What the service consists of."""

    registry: CollectorRegistry
    telemetry: Telemetry
    shards: Replicas | Alone
    agenda: Agenda
    rollouts: Rollouts
    watchers: Sequence[Watcher]
    pages: Pages
    pulse: Pulse

    @property
    def sources(self) -> http.Sources:
        """What is answered over HTTP."""
        return http.Sources(
            registry=self.registry,
            ready=lambda: all(watcher.synced.is_set() for watcher in self.watchers),
            trouble=self.pulse.trouble,
            pages=self.pages,
        )


def _put_together(settings: ServiceSettings, kubeconfig: Path | None) -> _Parts:
    """Make all parts; none of them works yet."""
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    telemetry.reporter = settings.prometheus.reporter
    health = telemetry.health
    cluster = Cluster.connect(kubeconfig, health.requested)
    shards = _shards(cluster, settings.replicas, health)
    ports = Ports(
        cluster=cluster,
        cache=Cache(cluster, settings.namespaces),
        reader=samples.reader(settings.prometheus, health.queried),
        clock=time.time,
        webhooks=Webhooks(settings=settings.webhooks, on_defect=health.defect),
        notifications=Notifications(health.notified, shards.owns, health.defect),
        on_defect=health.defect,
        read_logs=settings.read_logs,
    )
    agenda = Agenda.on_threads(settings.workers)
    health.show(shards.is_working, lambda: agenda.overdue(time.time()))
    rollouts = Rollouts(ports, telemetry, agenda, settings.offers, shards)
    namespaces = settings.namespaces or ("",)
    archive = Archive(cluster, namespaces, rollouts.records, time.time)
    return _Parts(
        registry=registry,
        telemetry=telemetry,
        shards=shards,
        agenda=agenda,
        rollouts=rollouts,
        watchers=[Watcher(namespace, cluster, rollouts, shards, health.defect) for namespace in namespaces],
        pages=Pages(archive, settings.links, time.time),
        pulse=Pulse(agenda),
    )


def _begin(parts: _Parts, settings: ServiceSettings, file: ConfigFile | None) -> None:
    """Let all parts work, each in threads of its own."""
    pulse, ports, defect = parts.pulse, parts.rollouts.ports, parts.telemetry.health.defect
    if file is not None:
        put_in_force = partial(_take_over, parts, _Reading(settings.prometheus))
        reloader = Reloader(file, settings, put_in_force, parts.registry, defect)
        signal.signal(signal.SIGHUP, lambda *_: reloader.ask())
        pulse.start("config", reloader.follow)
    ports.notifications.configure(settings.notifications, settings.status_page_url)
    pulse.start("notify", partial(ports.notifications.follow, ports.cluster, settings.namespaces or ("",)))
    memory.spare_the_collector()
    pulse.start("cycles", memory.look_for_cycles)
    parts.agenda.start()
    pulse.start("clock", parts.agenda.follow_clock)
    if isinstance(parts.shards, Replicas):
        sharing = Sharing(parts.agenda, parts.rollouts.share_out, [each.look for each in parts.watchers], defect)
        pulse.watch(parts.shards.thread(sharing.ask))
    for watcher in parts.watchers:
        pulse.start("watch", watcher.run)


def within(seconds: float, work: Callable[[], object]) -> bool:
    """Do some work, and say whether it is done after so many seconds; where it is not, it goes on by itself."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def _shards(cluster: Cluster, settings: ReplicaSettings, health: Health) -> Replicas | Alone:
    namespace = settings.namespace or _own_namespace()
    if not namespace:
        return Alone()
    name = os.environ.get("POD_NAME") or socket.gethostname()
    return Replicas(cluster, namespace, name, settings.lease_seconds, health)


def _own_namespace() -> str:
    """Return the namespace of the pod we run in; empty outside a pod."""
    try:
        return os.environ.get("POD_NAMESPACE") or IN_POD.read_text().strip()
    except OSError:
        return ""


@dataclass
class _Reading:
    """How Prometheus is read now."""

    settings: PrometheusSettings


def _take_over(parts: _Parts, reading: _Reading, settings: ServiceSettings) -> None:
    """Put all in force that needs no new start; a new reader of samples goes on where each run's samples end."""
    ports = replace(parts.rollouts.ports, read_logs=settings.read_logs)
    if settings.prometheus != reading.settings:
        ports = replace(ports, reader=samples.reader(settings.prometheus, parts.telemetry.health.queried))
        reading.settings, parts.telemetry.reporter = settings.prometheus, settings.prometheus.reporter
    parts.rollouts.work_with(ports, settings.offers)
    ports.webhooks.settings = settings.webhooks
    ports.notifications.configure(settings.notifications, settings.status_page_url)
    parts.pages.link(settings.links)


def _on_signal() -> threading.Event:
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    return told_to_stop
