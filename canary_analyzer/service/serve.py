"""The whole service, put together and run until it is told to stop."""

import signal
import threading
import time
from datetime import UTC
from pathlib import Path

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from prometheus_client import CollectorRegistry

from canary_analyzer.cluster.cache import Cache
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.service import http, logs, samples
from canary_analyzer.service.reconcile import Ports
from canary_analyzer.service.rollouts import Rollouts
from canary_analyzer.service.settings import ServiceSettings
from canary_analyzer.service.telemetry import Telemetry
from canary_analyzer.service.watcher import Watcher
from canary_analyzer.service.webhooks import Webhooks

log = structlog.get_logger()

TURNS = 3
"""Jobs of one Deployment that may wait for their turn: one works, and what a wish of the user wakes is not lost."""


def serve(settings: ServiceSettings, kubeconfig: Path | None) -> None:
    """Run until SIGTERM or SIGINT; the pass in hand is finished first.

    Raises:
        ClusterError: the kubeconfig cannot be used.
    """
    logs.configure()
    cluster = Cluster.connect(kubeconfig)
    ports = Ports(
        cluster=cluster,
        cache=Cache(cluster, settings.namespaces),
        reader=samples.reader(settings.prometheus),
        clock=time.time,
        webhooks=Webhooks(settings=settings.webhooks),
    )
    registry = CollectorRegistry()
    workers = ThreadPoolExecutor(settings.workers)
    scheduler = BackgroundScheduler(
        executors={"default": workers},
        job_defaults={"coalesce": True, "max_instances": TURNS, "misfire_grace_time": None},
        timezone=UTC,
    )
    rollouts = Rollouts(ports, Telemetry(registry), scheduler, settings.offers)
    watchers = [Watcher(namespace, ports.cluster, rollouts) for namespace in settings.namespaces or ("",)]
    server = http.serve(
        settings.http.host, settings.http.port, registry, lambda: all(w.synced.is_set() for w in watchers)
    )
    told_to_stop = _on_signal()
    scheduler.start()
    for watcher in watchers:
        threading.Thread(target=watcher.run, name="watch", daemon=True).start()
    log.info("serving", http=f"http://{settings.http.host}:{server.server_port}", prometheus=settings.prometheus.url)
    told_to_stop.wait()
    log.info("stopping after the passes in hand; runs go on with the next start")
    # A pass ends by scheduling the next one, for which it needs what a scheduler that waits for it would hold.
    scheduler.shutdown(wait=False)
    workers.shutdown(wait=True)
    server.shutdown()


def _on_signal() -> threading.Event:
    told_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    return told_to_stop
