"""How the service itself is doing, as metrics that its parts call; dashboards/overview.py and rules.yaml show them."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

LAG_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0)
"""Seconds; the shortest tick that is allowed is a second, the alert is at ten."""


class Health:
    """Counters of what the service did and what went wrong. Safe to use from several threads.

    Each series is there from the start, at 0, where its labels are known: a first failure is seen as an increase.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        ProcessCollector(registry=registry)
        self._lag = Histogram(
            "canary_analyzer_tick_lag_seconds", "How late a pass began.", buckets=LAG_BUCKETS, registry=registry
        )
        self._queries = Counter("canary_analyzer_queries", "Prometheus queries.", ["result"], registry=registry)
        for result in ("ok", "error"):
            self._queries.labels(result=result)
        self._query_seconds = Histogram(
            "canary_analyzer_query_seconds", "How long a Prometheus query took.", registry=registry
        )
        self._requests = Counter(
            "canary_analyzer_api_requests",
            "Requests to the Kubernetes API; code 0 is no answer.",
            ["verb", "code"],
            registry=registry,
        )
        self._defects = Counter(
            "canary_analyzer_defects",
            "What failed by a defect of ours: passes, requests, and the threads beside them.",
            registry=registry,
        )
        self._leases_lost = Counter(
            "canary_analyzer_leases_lost", "How often this replica lost its Lease.", registry=registry
        )
        self._notifications = Counter(
            "canary_analyzer_notifications",
            "Tries to deliver a notification.",
            ["receiver", "result"],
            registry=registry,
        )
        self._working = Gauge(
            "canary_analyzer_working",
            "1 where this replica may work on rollouts, 0 where it has no Lease that counts.",
            registry=registry,
        )
        self._overdue = Gauge(
            "canary_analyzer_pass_overdue_seconds",
            "For how long the pass has been due that has been due longest and is not done.",
            registry=registry,
        )

    def show(self, working: Callable[[], bool], overdue: Callable[[], float]) -> None:
        """Publish at each scrape whether this replica works on runs, and for how long a pass is overdue, in seconds."""
        self._working.set_function(lambda: float(working()))
        self._overdue.set_function(overdue)

    def late(self, seconds: float) -> None:
        """Note how late a pass began."""
        self._lag.observe(max(0.0, seconds))

    def queried(self, seconds: float, answered: bool) -> None:
        """Note a Prometheus query: how long it took, and whether it was answered."""
        self._queries.labels(result="ok" if answered else "error").inc()
        self._query_seconds.observe(seconds)

    def requested(self, verb: str, code: int) -> None:
        """Note a request to the Kubernetes API and the HTTP status of its answer, 0 where there was none."""
        self._requests.labels(verb=verb, code=str(code)).inc()

    def defect(self) -> None:
        """Note that something failed by a defect of ours."""
        self._defects.inc()

    def lost_lease(self) -> None:
        """Note that this replica lost its Lease."""
        self._leases_lost.inc()

    def notified(self, receiver: str, result: str) -> None:
        """Note a try to deliver a notification: `ok`, `error` (it is tried again) or `given-up`."""
        self._notifications.labels(receiver=receiver, result=result).inc()
