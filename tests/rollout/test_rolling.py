"""A rolling update as a run sees and steers it, beside a Deployment controller small enough to be a value."""

from copy import deepcopy
from dataclasses import dataclass, field

import pytest

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.actions import CloseRequest, RollStable
from canary_analyzer.rollout.decide import begin
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.policy import OnInconclusive
from canary_analyzer.rollout.rolling import POD_HASH, PodSet, RollingView
from canary_analyzer.rollout.rolling_spec import rolling, shaped
from canary_analyzer.rollout.sibling import container_images
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.rollout.view import Evidence, Share, View, Wishes, Workload
from driving import drive, one_pass

REPLICAS, SURGE, READY_AFTER, PACE = 4, 1, 2, 20
TEMPLATES = {"app:v1": "old", "app:v2": "new", "app:v3": "theirs"}


def deployment(image="app:v1"):
    template = {"spec": {"containers": [{"name": "app", "image": image}]}}
    return {"metadata": {"name": "app"}, "spec": {"replicas": REPLICAS, "template": template}}


ROLLING = rolling(deployment(), PACE)


@dataclass
class Cluster:
    """A Deployment of 4 replicas with maxSurge 1 and maxUnavailable 0, its controller, and Prometheus' answers."""

    document: dict = field(default_factory=deployment)
    old: int = REPLICAS
    new: list[int] = field(default_factory=list)
    """When each new pod becomes Ready."""
    wishes: Wishes = field(default_factory=lambda: Wishes(trigger="app:v2"))
    verdict: object = None
    unavailable: str = ""
    requests: int = 100
    seen: dict = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    now: float = 0

    @property
    def spec(self):
        return self.document["spec"]

    def advance(self, now):
        """What the controller does within a second."""
        self.now = now
        if self.spec.get("paused"):
            return
        if container_images(self.document)["app"] == "app:v1":
            self.old, self.new = REPLICAS, []
            return
        available = sum(now - ready >= self.spec.get("minReadySeconds", 0) for ready in self.new)
        self.old = min(self.old, REPLICAS - available)
        missing = min(REPLICAS, REPLICAS + SURGE - self.old) - len(self.new)
        self.new += [now + READY_AFTER] * missing

    def view(self):
        ready = sum(at <= self.now for at in self.new)
        image = container_images(self.document)["app"]
        rolled = image == "app:v1" or (self.old == 0 and ready == REPLICAS)
        stable = Workload(
            replicas=REPLICAS,
            updated=len(self.new) if image != "app:v1" else REPLICAS,
            available=self.old + ready,
            total=self.old + len(self.new),
            current=True,
            template=TEMPLATES[image],
            images={"app": image},
        )
        assert stable.settled is rolled
        pods = RollingView(
            old=PodSet(hash="o1d", total=self.old, ready=self.old),
            new=PodSet(hash="n3w" if self.new else "", total=len(self.new), ready=ready),
            min_ready_seconds=self.spec.get("minReadySeconds"),
            paused=bool(self.spec.get("paused")),
        )
        return View(**{"stable": stable, "wishes": self.wishes, "rolling": pods, **self.seen})

    def evidence(self):
        share = None if self.unavailable else Share(canary=0, total=self.requests)
        return Evidence(verdict=self.verdict, share=share, unavailable=self.unavailable)

    def obey(self, action):
        match action:
            case RollStable():
                before, self.document = self.document, shaped(self.document, action, ROLLING)
                if before != self.document:
                    self.log.append(_described(self.document))
            case CloseRequest():
                self.wishes = Wishes(trigger=None, closed=True)


def _described(document):
    spec = document["spec"]
    words = [container_images(document)["app"], str(spec.get("minReadySeconds")), "paused" * bool(spec.get("paused"))]
    return " ".join(words).rstrip()


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def start(make):
    """Begin a run, with a policy of one's own."""

    def begun(**policy):
        fields = {
            "strategy": Strategy.ROLLING,
            "rolling": ROLLING,
            "canary": "",
            "canary_service": "",
            "service": "",
            "routes": (),
            "label": (POD_HASH, ""),
            "policy": make.policy(rolling={"pace_seconds": PACE}, **policy),
        }
        return begin(make.run(**fields), now=0.0)

    return begun


def test_good_pods_replace_the_old_ones_and_nothing_but_the_image_stays_changed(start, cluster, make):
    cluster.verdict = make.verdict(Decision.CONTINUE)
    ended = drive(start(), cluster)
    assert (ended.phase, ended.label) == (Phase.SUCCEEDED, (POD_HASH, "n3w"))
    assert cluster.log == [f"app:v2 {PACE}", "app:v2 None"]
    assert cluster.document == deployment("app:v2")


def test_worse_pods_are_undone_in_the_pass_that_sees_the_verdict(start, cluster, make):
    def turn_bad(run, cluster, now):
        if run.stage == "analyse":
            cluster.verdict = make.verdict(Decision.ABORT, "errors: 12 of 100 against 0 of 900")

    ended = drive(start(), cluster, each=turn_bad)
    assert (ended.phase, ended.reason) == (Phase.ABORTED, "errors: 12 of 100 against 0 of 900")
    assert cluster.log == [f"app:v2 {PACE}", "app:v1 None"]
    assert cluster.document == deployment()


def test_pods_that_are_shown_to_be_good_need_not_keep_the_pace_any_longer(start, cluster, make):
    def turn_good(run, cluster, now):
        if run.stage == "analyse":
            cluster.verdict = make.verdict(Decision.HEALTHY)

    seconds = {}
    for name, each in {"slow": lambda *_: None, "soon": turn_good}.items():
        world = Cluster(verdict=make.verdict(Decision.CONTINUE))
        ended = drive(start(), world, each=each)
        seconds[name] = ended.timeline[-1].at
    assert seconds["soon"] < seconds["slow"] - 2 * PACE


def test_samples_count_only_while_old_and_warm_new_pods_serve(start, cluster, make):
    cluster.verdict = make.verdict(Decision.CONTINUE)
    serving = {}

    def look(run, cluster, now):
        serving[now] = (cluster.old, sum(at <= now - 2 for at in cluster.new), len(cluster.new))

    run = drive(start(), cluster, each=look)
    assert len(run.windows) == REPLICAS
    for window in run.windows:
        for now in range(int(window.since), int(window.until) - 1):
            old, warm, new = serving[now]
            assert old > 0
            assert warm == new > 0


@pytest.mark.parametrize("verdict", [Decision.CONTINUE, Decision.ABORT])
@pytest.mark.parametrize("recorded", [True, False], ids=["killed after recording", "killed before recording"])
def test_a_process_killed_at_any_write_finishes_the_same_way(start, make, verdict, recorded):
    """Kill it before the n-th write, for every n: the record, which is saved first, was saved or not."""
    for crash in range(6):
        world, run, writes = Cluster(), start(), 0
        for now in range(1, 400):
            world.advance(now)
            if run.stage == "analyse":
                world.verdict = make.verdict(verdict)
            decision = one_pass(run, world, float(now))
            before = (deepcopy(world.document), world.wishes)
            if decision.action is not None:
                world.obey(decision.action)
            written = (world.document, world.wishes) != before
            killed = written and writes == crash
            if killed:
                world.document, world.wishes = before
            writes += written
            run = run if killed and not recorded else decision.run
            if run.ended:
                break
        assert run.ended
        assert world.document == deployment("app:v1" if verdict is Decision.ABORT else "app:v2")


def test_nothing_is_rolled_out_before_metrics_of_the_old_pods_are_seen(start, cluster):
    cluster.unavailable = "Prometheus at http://p does not answer"
    run = drive(start(), cluster, until=60)
    assert (run.phase, cluster.log) == (Phase.HOLDING, [])
    assert "Prometheus at http://p does not answer" in run.reason


def test_pods_that_prometheus_does_not_know_are_told_of_instead_of_rolled_out(start, cluster):
    cluster.requests = 0
    run = drive(start(), cluster, until=60)
    assert (run.phase, cluster.log) == (Phase.HOLDING, [])
    assert 'pod_template_hash="o1d"' in run.reason


HOLDS = {
    "a user": {"wishes": Wishes(trigger="app:v2", hold=True)},
    "no metrics": {"unavailable": "Prometheus is away"},
}


@pytest.mark.parametrize("held", HOLDS.values(), ids=HOLDS)
def test_a_held_rolling_update_stands_still_and_goes_on_afterwards(start, cluster, make, held):
    cluster.verdict = make.verdict(Decision.CONTINUE)
    usual = {name: getattr(cluster, name) for name in held}
    olds = []

    def hold(run, cluster, now):
        for name, value in {20: held, 150: usual}.get(now, {}).items():
            setattr(cluster, name, value)
        if 30 <= now < 150:
            assert run.phase is Phase.HOLDING
            assert cluster.spec["paused"]
            olds.append(cluster.old)

    ended = drive(start(), cluster, each=hold)
    assert (ended.phase, len(set(olds))) == (Phase.SUCCEEDED, 1)
    assert cluster.document == deployment("app:v2")


def test_a_held_rolling_update_that_turns_bad_is_undone_all_the_same(start, cluster, make):
    def hold(run, cluster, now):
        cluster.wishes = Wishes(trigger="app:v2", hold=now > 10)
        if now > 40:
            cluster.verdict = make.verdict(Decision.ABORT)

    assert drive(start(), cluster, each=hold, until=60).phase in (Phase.ABORTING, Phase.ABORTED)
    assert cluster.document == deployment()


def test_a_pause_of_somebody_else_is_respected(start, cluster, make):
    cluster.verdict = make.verdict(Decision.CONTINUE)

    def pause(run, cluster, now):
        if now == 20:
            cluster.spec["paused"] = True
        if 22 <= now < 100:
            assert cluster.spec["paused"]
            assert "kubectl rollout resume" in run.reason
        if now == 100:
            del cluster.spec["paused"]

    assert drive(start(), cluster, each=pause).phase is Phase.SUCCEEDED


AT_THE_END = {
    # verdict, policy's answer -> phase, image
    "healthy": (Decision.HEALTHY, OnInconclusive.ABORT, Phase.SUCCEEDED, "app:v2"),
    "undecided, promote": (Decision.CONTINUE, OnInconclusive.PROMOTE, Phase.SUCCEEDED, "app:v2"),
    "undecided, abort": (Decision.CONTINUE, OnInconclusive.ABORT, Phase.ABORTED, "app:v1"),
    "undecided, hold": (Decision.CONTINUE, OnInconclusive.HOLD, Phase.AWAITING_APPROVAL, "app:v2"),
    "thin": (Decision.INCONCLUSIVE, OnInconclusive.PROMOTE, Phase.HOLDING, "app:v2"),
    "nothing": (None, OnInconclusive.PROMOTE, Phase.HOLDING, "app:v2"),
}


@pytest.mark.parametrize(("judged", "answer", "phase", "image"), AT_THE_END.values(), ids=AT_THE_END)
def test_when_the_last_old_pod_is_to_go(start, cluster, make, judged, answer, phase, image):
    cluster.verdict = make.verdict(judged) if judged else None
    run = drive(start(on_inconclusive=answer), cluster)
    assert (run.phase, container_images(cluster.document)["app"]) == (phase, image)


def test_with_too_little_data_the_last_old_pods_stay_until_the_deadline_puts_all_of_them_back(start, cluster, make):
    cluster.verdict = make.verdict(Decision.INCONCLUSIVE, "only 3 requests")
    left = []
    ended = drive(start(deadline_seconds=200), cluster, each=lambda run, cluster, now: left.append(cluster.old))
    assert (ended.phase, min(left)) == (Phase.ABORTED, 1)
    assert "no verdict within 200 s" in ended.reason
    assert cluster.document == deployment()


def test_what_nobody_could_look_at_is_not_kept(start, cluster, make):
    """Somebody else's controller takes the last old pods away while the run waits for data."""
    cluster.verdict = make.verdict(Decision.INCONCLUSIVE, "only 3 requests")

    def take_away(run, cluster, now):
        if run.phase is Phase.HOLDING:
            cluster.old = 0

    ended = drive(start(), cluster, each=take_away)
    assert (ended.phase, cluster.document) == (Phase.ABORTED, deployment())
    assert f"raise rolling.pace_seconds = {PACE}" in ended.reason


def test_an_approval_ends_what_the_verdict_left_open(start, cluster, make):
    cluster.verdict = make.verdict(Decision.CONTINUE)
    run = drive(start(on_inconclusive=OnInconclusive.HOLD), cluster)
    cluster.wishes = Wishes(trigger="app:v2", approve="app-1")
    assert drive(run, cluster).phase is Phase.SUCCEEDED


UNDONE = {
    # what is seen -> what the reason says
    "the trigger is taken away": ({"wishes": Wishes(trigger=None)}, "annotation image was removed"),
    "a user aborts": ({"wishes": Wishes(trigger="app:v2", abort="app-1")}, "a user asked"),
    "new pods crash": ({"canary_trouble": "container app: CrashLoopBackOff (1 of 1 pods)"}, "CrashLoopBackOff"),
}


@pytest.mark.parametrize(("seen", "reason"), UNDONE.values(), ids=UNDONE)
def test_the_old_template_comes_back_when(start, cluster, seen, reason):
    def see(run, cluster, now):
        cluster.seen = seen if run.stage == "analyse" else {}

    ended = drive(start(), cluster, each=see, until=60)
    assert reason in ended.reason
    assert cluster.document == deployment()


def test_new_pods_that_never_become_ready_are_taken_back(start, cluster):
    def starve(run, cluster, now):
        cluster.new = [now + 1000 for _ in cluster.new]

    ended = drive(start(start_seconds=30), cluster, each=starve)
    assert "no new pod became Ready" in ended.reason
    assert cluster.document == deployment()


def test_an_image_that_somebody_else_sets_in_mid_run_stays(start, cluster):
    def change(run, cluster, now):
        if run.stage == "analyse" and run.phase is Phase.ANALYSING:
            cluster.spec["template"]["spec"]["containers"][0]["image"] = "app:v3"
            cluster.old, cluster.new = 0, [0] * REPLICAS

    run = drive(start(), cluster, each=change, until=60)
    assert run.reason.startswith("the pod template of app was changed by somebody else")
    assert cluster.document == deployment("app:v3")
