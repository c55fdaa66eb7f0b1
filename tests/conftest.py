"""A run, a cluster small enough to be a value, which shows what a pass would see of it, and the API emulator's."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog
from hypothesis import HealthCheck, settings

from canary_analyzer.analysis import Decision, Verdict
from canary_analyzer.cluster.client import Cluster
from canary_analyzer.rollout import actions
from canary_analyzer.rollout.decide import begin
from canary_analyzer.rollout.gates import Answer, Call
from canary_analyzer.rollout.policy import RolloutPolicy, Step
from canary_analyzer.rollout.run import RouteRef, Run
from canary_analyzer.rollout.view import Autoscaler, Evidence, Share, View, Wishes, Workload
from canary_analyzer.routing import Traffic
from canary_analyzer.sandbox.api import ApiServer

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

OLD, NEW = {"app": "app:v1"}, {"app": "app:v2"}


def make_policy(**fields: object) -> RolloutPolicy:
    steps = (Step(weight=10, seconds=10, requests=5), Step(weight=50, seconds=10, requests=5))
    return RolloutPolicy.model_validate({"tick_seconds": 1, "settle_seconds": 2, "steps": steps, **fields})


def make_run(**fields: object) -> Run:
    whole = {
        "name": "app-1",
        "namespace": "default",
        "deployment": "app",
        "uid": "u-1",
        "service": "app",
        "canary": "app-canary",
        "canary_service": "app-canary",
        "label": ("track", "canary"),
        "routes": (RouteRef(namespace="default", name="app"),),
        "trigger": "app:v2",
        "images": NEW,
        "stable_images": OLD,
        "stable_template": "old",
        "stable_replicas": 3,
        "policy": make_policy(),
        "started": 0.0,
        **fields,
    }
    return Run.model_validate(whole)


def make_verdict(decision: Decision, reason: str = "because of the figures") -> Verdict:
    return Verdict(decision=decision, metrics=(), reason=reason, tick=1)


def make_workload(images: Mapping[str, str] = OLD, replicas: int = 3, **fields: object) -> Workload:
    template = "old" if images["app"] == OLD["app"] else "new"
    whole = {
        "replicas": replicas,
        "updated": replicas,
        "available": replicas,
        "total": replicas,
        "current": True,
        "template": template,
        "images": images,
        **fields,
    }
    return Workload(**whole)


@dataclass
class World:
    """What a run writes to. `log` is the order of the writes that changed anything."""

    stable: Workload = field(default_factory=make_workload)
    canary: Workload | None = None
    services: bool = False
    fresh: Workload | None = None
    wants_fresh: bool = False
    autoscaler: Autoscaler | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    answer: Callable[[Call], Answer | None] = lambda _: None
    """What a webhook says at once, if anything."""
    traffic: Traffic | None = None
    missing_routes: tuple[RouteRef, ...] = ()
    wishes: Wishes = field(default_factory=lambda: Wishes(trigger="app:v2"))
    verdict: Verdict | None = None
    log: list[str] = field(default_factory=list)

    def advance(self, now: float) -> None:
        """Do what controllers do in a second: here all that is asked for comes at once."""

    def view(self) -> View:
        weight = self.traffic.weight if self.traffic is not None else None
        return View(
            stable=self.stable,
            wishes=self.wishes,
            canary=self.canary,
            canary_pods=self.canary.replicas if self.canary else 0,
            canary_services=self.services,
            services_left=self.services,
            fresh=self.fresh,
            autoscaler=self.autoscaler,
            answers=self.answers,
            weight=weight,
            reached=self.traffic,
            routed=self.traffic is not None,
            missing_routes=self.missing_routes,
        )

    def evidence(self) -> Evidence:
        weight = self.traffic.weight if self.traffic is not None else 0
        share = Share(canary=weight, total=2 * weight if self.fresh else 100)
        return Evidence(verdict=self.verdict, share=share, step_requests=100)

    def obey(self, action: actions.Action) -> None:
        before = self.view()
        match action:
            case actions.CallWebhooks(calls=calls):
                self._call(calls)
            case actions.SetTraffic(traffic=traffic):
                self.traffic = traffic
            case actions.RestoreRoutes():
                self.traffic = None
            case actions.HoldFloor() | actions.ReleaseFloor():
                self._obey_on_autoscaler(hold=isinstance(action, actions.HoldFloor))
            case actions.TakeApproval():
                self.wishes = replace(self.wishes, approve="")
            case actions.PatchStable(images=images):
                self.stable = make_workload(images, self.stable.replicas)
            case actions.CloseRequest():
                self.wishes = Wishes(trigger=None, closed=True)
            case _:
                self._obey_on_siblings(action)
        if self.view() != before:
            self.log.append(_described(action))

    def _call(self, calls: Iterable[Call]) -> None:
        self.log += [call.key for call in calls]
        said = {call.key: self.answer(call) for call in calls}
        self.answers |= {key: answer for key, answer in said.items() if answer is not None}

    def _obey_on_autoscaler(self, *, hold: bool) -> None:
        assert self.autoscaler is not None
        self.autoscaler = replace(self.autoscaler, minimum=self.stable.replicas if hold else 1, held=hold)

    def _obey_on_siblings(self, action: actions.Action) -> None:
        match action:
            case actions.CreateCanary(replicas=replicas):
                self.services = True
                self.canary = self.canary or make_workload(NEW, replicas)
                self.fresh = make_workload(OLD, replicas) if self.wants_fresh else None
            case actions.ScaleCanary(replicas=replicas):
                self.canary = _scaled(self.canary, replicas)
                self.fresh = _scaled(self.fresh, replicas)
            case actions.DeleteCanary():
                self.canary = self.fresh = None
            case actions.DeleteCanaryServices():
                self.services = False


def _scaled(workload: Workload | None, replicas: int) -> Workload | None:
    sizes = dict.fromkeys(("replicas", "updated", "available", "total"), replicas)
    return replace(workload, **sizes) if workload is not None else None


def _described(action: actions.Action) -> str:
    if isinstance(action, actions.SetTraffic):
        return _traffic_described(action.traffic)
    values = [str(value) for value in vars(action).values() if isinstance(value, int)]
    return " ".join([type(action).__name__, *values])


def _traffic_described(traffic: Traffic) -> str:
    """What is not the default, in the order of its fields; the weight always."""
    extra = [name for name, value in vars(traffic).items() if value and name != "weight"]
    return " ".join(["SetTraffic", str(traffic.weight), *extra])


@pytest.fixture(autouse=True)
def logs_for_pytest():
    """Log lines are shown where a test fails, and never come among what a command prints, whichever thread writes."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer(["event"])],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def run() -> Run:
    return begin(make_run(), now=0.0)


@pytest.fixture
def make():
    """The builders of values, for tests that want other ones."""

    class Make:
        policy = staticmethod(make_policy)
        run = staticmethod(make_run)
        verdict = staticmethod(make_verdict)
        workload = staticmethod(make_workload)
        world = World

    return Make


@pytest.fixture
def cluster(tmp_path):
    """A client of an empty cluster."""
    loop, server = asyncio.new_event_loop(), ApiServer()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    server.write_kubeconfig(tmp_path / "kubeconfig")
    yield Cluster.connect(tmp_path / "kubeconfig")
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Asked(BaseHTTPRequestHandler):
    """A request to an API server that a test plays; `say` answers it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.server.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.answer(self)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  (named by http.server)

    def say(self, body: object, status: int = 200, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def api(tmp_path):
    """An API server that answers as a test says: `api.answer` is given each request, `api.asked` has them all."""

    class Api(ThreadingHTTPServer):
        daemon_threads = True
        answer: Callable[[Asked], None]

        def handle_error(self, *_):
            pass  # the client has gone

    server = Api(("127.0.0.1", 0), Asked)
    server.asked = []
    context = {"cluster": "played", "user": "nobody"}
    config = {
        "clusters": [{"name": "played", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "played", "context": context}],
        "current-context": "played",
    }
    (tmp_path / "played").write_text(json.dumps(config))
    server.cluster = Cluster.connect(tmp_path / "played")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
