"""The whole service, put together and run until it is told to stop."""

import ctypes
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster.cache import Cache
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.service import http, logs, samples
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
MALLOC = {"M_ARENA_MAX": (-8, 1), "M_MMAP_THRESHOLD": (-3, 32 * 1024)}
"""What malloc is told (mallopt(3)): the number of each parameter, and its value."""
GARBAGE = 100_000
"""Values made and not yet freed after which cycles are looked for among them; Python's own default is 700."""


def serve(settings: ServiceSettings, kubeconfig: Path | None, file: ConfigFile | None = None) -> None:
    """Run until SIGTERM or SIGINT; the pass in hand is finished first, or cut off where it takes too long.

    Args:
        settings: in force.
        kubeconfig: how the cluster is reached; None: from inside it.
        file: where the settings come from; it is read again when it changes.

    Raises:
        ClusterError: the kubeconfig cannot be used.
    """
    _spare_memory()
    logs.configure()
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    health = telemetry.health
    telemetry.reporter = settings.prometheus.reporter
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
    rollouts = Rollouts(ports, telemetry, agenda, settings.offers, shards)
    watchers = [
        Watcher(namespace, ports.cluster, rollouts, shards, health.defect) for namespace in settings.namespaces or ("",)
    ]
    archive = Archive(ports.cluster, settings.namespaces or ("",), rollouts.records, time.time)
    pages = Pages(archive, settings.links, time.time)
    pulse = Pulse(agenda)
    health.show(shards.is_working, lambda: agenda.overdue(time.time()))
    sources = http.Sources(
        registry=registry,
        ready=lambda: all(watcher.synced.is_set() for watcher in watchers),
        trouble=pulse.trouble,
        pages=pages,
    )
    server = http.serve(settings.http.host, settings.http.port, sources)
    told_to_stop = _on_signal()
    if file is not None:
        put_in_force = partial(_take_over, _Changeable(rollouts, pages, telemetry, settings.prometheus))
        reloader = Reloader(file, settings, put_in_force, registry, health.defect)
        signal.signal(signal.SIGHUP, lambda *_: reloader.ask())
        pulse.start("config", reloader.follow)
    ports.notifications.configure(settings.notifications, settings.status_page_url)
    following = (cluster, settings.namespaces or ("",))
    pulse.start("notify", partial(ports.notifications.follow, *following))
    _spare_the_collector()
    agenda.start()
    pulse.start("clock", agenda.follow_clock)
    if isinstance(shards, Replicas):
        sharing = Sharing(agenda, rollouts.share_out, [watcher.look for watcher in watchers], health.defect)
        pulse.watch(shards.thread(sharing.ask))
    for watcher in watchers:
        pulse.start("watch", watcher.run)
    log.info("serving", http=f"http://{settings.http.host}:{server.server_port}", prometheus=settings.prometheus.url)
    told_to_stop.wait()
    log.info("stopping after the passes in hand; runs go on with the next start")
    ended = within(PASSES_SECONDS, agenda.close)
    if isinstance(shards, Replicas):
        within(LEASE_SECONDS, shards.release)
    server.shutdown()
    if not ended:
        log.warning("a pass did not end in time and is cut off; its run goes on from what its record says")
        os._exit(0)  # else the interpreter waits for its thread


def within(seconds: float, work: Callable[[], object]) -> bool:
    """Do some work, and say whether it is done after so many seconds; where it is not, it goes on by itself."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def _spare_memory() -> None:
    """Let memory that is free again go back to the system, where it would stay between what is still used.

    All threads share one arena, since each keeps what it once needed, and one thread runs at a time anyway. Answers and
    the stories of runs stay out of it: glibc puts them there once one has been freed, unless it is told from which size
    on they have a place of their own.

    Other C libraries than glibc have no such parameters.
    """
    with suppress(AttributeError):
        for number, value in MALLOC.values():
            ctypes.CDLL(None).mallopt(number, value)


def _spare_the_collector() -> None:
    """Let the garbage collector pass over what lasts as long as the process, and look for cycles less often.

    With thousands of small values made in each pass it takes a fifth of the processor time otherwise.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])


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
class _Changeable:
    """What a changed config changes."""

    rollouts: Rollouts
    pages: Pages
    telemetry: Telemetry
    prometheus: PrometheusSettings
    """In force."""


def _take_over(parts: _Changeable, settings: ServiceSettings) -> None:
    """Put all in force that needs no new start; a new reader of samples goes on where each run's samples end."""
    ports = replace(parts.rollouts.ports, read_logs=settings.read_logs)
    if settings.prometheus != parts.prometheus:
        ports = replace(ports, reader=samples.reader(settings.prometheus, parts.telemetry.health.queried))
        parts.prometheus, parts.telemetry.reporter = settings.prometheus, settings.prometheus.reporter
    parts.rollouts.work_with(ports, settings.offers)
    ports.webhooks.settings = settings.webhooks
    ports.notifications.configure(settings.notifications, settings.status_page_url)
    parts.pages.link(settings.links)


def _on_signal() -> threading.Event:
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    return told_to_stop
