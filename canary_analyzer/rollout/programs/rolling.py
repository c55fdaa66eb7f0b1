"""The phases of a rolling update: no sibling and no route, but the Deployment's own pods, new beside old.

Nothing is rolled out before metrics of the old pods are seen: a rolling update has no weight 0 at which the first look
could be taken. Then new pods come in batches. After each, the samples wait until the new pods have warmed up. They
count while both kinds serve; with the last old pod the comparison is over. `rolling_rules` says what ends or pauses it.
"""

from canary_analyzer.analysis import Decision
from canary_analyzer.rollout.actions import Action, CallWebhooks, CloseRequest, RollStable
from canary_analyzer.rollout.gates import Moment, told
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import goals, words
from canary_analyzer.rollout.programs.stage import Program, Situation, Stage

AWAIT_METRICS = "await metrics"
ROLL_OUT = "roll out"
WARM_UP = "warm up"
ANALYSE = "analyse"
RELEASE_PACE = "release pace"
AWAIT_STABLE = "await stable"


# Goals -----------------------------------------------------------------------------------------------------------


def old_pods_known(s: Situation) -> bool:
    """Whether it is recorded which pods are the baseline."""
    return s.run.rolling is not None and s.run.rolling.old_pods != ""


def metrics_seen(s: Situation) -> bool:
    """Whether requests to the old pods are counted."""
    return not s.evidence.unavailable and s.evidence.share is not None and s.evidence.share.total > 0


def rolled_out(s: Situation) -> bool:
    """Whether the new template is in force."""
    return s.run.rolling is not None and s.run.rolling.template != ""


def new_pods_serve(s: Situation) -> bool:
    """Whether a new pod is Ready."""
    return s.view.rolling is not None and s.view.rolling.new.ready > 0


def old_pods_gone(s: Situation) -> bool:
    """Whether no old pod is left to compare with; one that is not Ready just now may come back."""
    return s.view.rolling is not None and s.view.rolling.old.total == 0


def compared(s: Situation) -> bool:
    """Whether the comparison is over, or a person has approved what it left open."""
    if s.run.phase is Phase.AWAITING_APPROVAL:
        return s.view.wishes.approve == s.run.name
    return old_pods_gone(s)


def warm(s: Situation) -> bool:
    """Whether the newest pods have had time to warm up, or nothing is left to compare them with."""
    return goals.paused(s) or old_pods_gone(s)


def unslowed(s: Situation) -> bool:
    """Whether neither our pace nor our pause is in force any more."""
    memory, seen = s.run.rolling, s.view.rolling
    if memory is None or seen is None:
        return False
    slowed = seen.min_ready_seconds == memory.pace_seconds != memory.found_seconds
    return not slowed and not seen.paused and not seen.marked


def undone(s: Situation) -> bool:
    """Whether stable has its old images, its own pace, and may roll out."""
    return not any(goals.new_images_running(s)) and unslowed(s)


# Actions ---------------------------------------------------------------------------------------------------------


def roll_out(s: Situation) -> Action:
    """Give stable the new images and the pace in one write."""
    return RollStable(images=s.run.images, instead_of=s.run.stable_images, paced=True)


def steer(s: Situation) -> Action | None:
    """Let the rolling update go on: paced until the new pods are shown to be good, paused while the run is held."""
    memory, seen, verdict = s.run.rolling, s.view.rolling, s.evidence.verdict
    if memory is None or seen is None:
        return None
    held = memory.paused and s.run.phase is Phase.HOLDING
    by_others = seen.paused and not memory.paused
    good = verdict is not None and verdict.decision is Decision.HEALTHY
    return RollStable(paced=not good, paused=held or by_others)


def undo(s: Situation) -> Action:
    """Give stable its old images and its own pace back in one write."""
    return RollStable(images=s.run.stable_images, instead_of=s.run.images)


# Programs --------------------------------------------------------------------------------------------------------


def _unfound(s: Situation) -> str:
    return f"no ReplicaSet of {s.run.deployment} has the pod template that it had at the start"


def _not_serving(s: Situation) -> str:
    return f"no new pod became Ready: {s.view.canary_unready}"


def _tell(moment: Moment, name: str) -> Stage:
    return Stage(name=name, done=goals.all_told(moment), action=lambda s: CallWebhooks(calls=told(s.run, moment)))


_END: Program = (
    _tell(Moment.END, "tell the end"),
    Stage(name="close request", done=goals.closed, action=lambda _: CloseRequest(), waits=words.closing),
)

STARTING: Program = (Stage(name="find old pods", done=old_pods_known, limit=goals.start_limit, late=_unfound),)

ANALYSING: Program = (
    Stage(name=AWAIT_METRICS, done=metrics_seen, holds=True),
    Stage(name=ROLL_OUT, done=rolled_out, action=roll_out, limit=goals.start_limit, late=words.unpatched),
    Stage(name="await new pods", done=new_pods_serve, action=steer, limit=goals.start_limit, late=_not_serving),
    Stage(name=WARM_UP, done=warm, action=steer),
    Stage(name=ANALYSE, done=compared, action=steer, samples=True, holds=True),
)

PROMOTING: Program = (
    Stage(
        name=RELEASE_PACE,
        done=unslowed,
        action=lambda _: RollStable(),
        limit=goals.promote_limit,
        late=words.unpatched,
    ),
    Stage(name=AWAIT_STABLE, done=goals.stable_available, limit=goals.promote_limit, late=words.not_rolled_out),
    *_END,
)

ABORTING: Program = (
    Stage(name="restore stable", done=undone, action=undo, waits=words.old_images),
    Stage(
        name="await restored stable",
        # Kubernetes goes on with it; nothing of ours depends on it.
        done=lambda s: s.view.stable.settled or goals.overlong(s),
        waits=words.recovery,
    ),
    _tell(Moment.ROLLBACK, "tell of the roll-back"),
    *_END,
)

PHASES: dict[Phase, Program] = {
    Phase.STARTING: STARTING,
    Phase.ANALYSING: ANALYSING,
    Phase.HOLDING: ANALYSING,
    Phase.AWAITING_APPROVAL: ANALYSING,
    Phase.PROMOTING: PROMOTING,
    Phase.ABORTING: ABORTING,
}
