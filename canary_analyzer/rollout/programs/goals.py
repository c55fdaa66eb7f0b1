"""What can be observed of a run's way: the goals that programs are made of, and their limits."""

from math import ceil

from canary_analyzer.analysis import Decision, MetricState
from canary_analyzer.analysis.ramp import Standing, next_weight
from canary_analyzer.rollout.gates import Moment, due, told
from canary_analyzer.rollout.phases import RAMPING, Phase
from canary_analyzer.rollout.programs.stage import Goal, Situation
from canary_analyzer.rollout.ramp import NOTHING, is_last_comparison, load_of, speaks_of_traffic
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.steps import ApprovalStep, Climb, Step, seconds_of
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.rollout.view import Workload

SETTLE_LIMIT = 6
"""Settle times after which a data plane that nobody can observe (no metrics) is taken to have followed."""
ENOUGH = 0.75
"""Share of stable's pods that can take all requests for a while: Kubernetes lets a rolling update go as low."""
TELL_LIMIT = 60.0
"""Seconds that webhooks have to hear of a roll-back or an end, and that we have to give up fields of a route."""


def canary_replicas(stable_replicas: int, weight: int, headroom_percent: int = 0) -> int:
    """Return how many canary pods a weight needs: its share of stable's size and some headroom, rounded up.

    At least 2 where stable has several, so that one pod can go without a loss; never more than stable, which is
    enough for everything.
    """
    share = ceil(stable_replicas * weight * (100 + headroom_percent) / 10_000)
    return min(max(min(2, stable_replicas), share), stable_replicas)


def replicas_needed(s: Situation) -> int:
    """Return how many canary pods the present step needs; one at least, for stable may come back from 0."""
    stable = max(1, s.view.stable.replicas)
    if s.run.strategy is Strategy.BLUE_GREEN:
        return stable
    headroom = s.run.policy.sizing.headroom_percent
    return canary_replicas(stable, load_of(s.run.ramp_step, s.run.traffic), headroom)


def siblings(s: Situation) -> tuple[Workload | None, ...]:
    """Return the Deployments that the run makes: the canary and, where the policy wants one, the fresh baseline."""
    return (s.view.canary,) if s.run.fresh is None else (s.view.canary, s.view.fresh)


def canary_created(s: Situation) -> bool:
    """Whether every sibling's Deployment and Service exist."""
    return None not in siblings(s) and s.view.canary_services


def canary_scaled(s: Situation) -> bool:
    """Whether every sibling was given as many replicas as the step needs."""
    return all(each is not None and each.replicas >= replicas_needed(s) for each in siblings(s))


def canary_available(s: Situation) -> bool:
    """Whether every pod of every sibling is Available."""
    return all(each is not None and each.settled for each in siblings(s))


def floor_held(s: Situation) -> bool:
    """Whether stable's autoscaler, if there is one, cannot shrink stable below its size at the start."""
    autoscaler = s.view.autoscaler
    return autoscaler is None or autoscaler.minimum >= min(s.run.stable_replicas, autoscaler.maximum)


def floor_released(s: Situation) -> bool:
    """Whether stable's autoscaler has its own minimum; one that cannot be written is given up, and swept later."""
    return s.view.autoscaler is None or not s.view.autoscaler.held or overlong(s)


def gates_open(s: Situation) -> bool:
    """Whether all webhooks that the step depends on have said yes."""
    return not due(s.run)


def traffic_set(s: Situation) -> bool:
    """Whether the live routes do what the run wants."""
    return s.view.reached == s.run.traffic


def traffic_kept(s: Situation) -> bool:
    """Whether what was written at this stage is still there; what nobody knows to be written, nobody has taken back."""
    return traffic_set(s) or not s.view.wrote


def step_settled(s: Situation) -> bool:
    """Whether the data plane does what the step says; nothing is waited for where the step changes nothing."""
    return not speaks_of_traffic(s.run.ramp_step) or settled(s)


def settled(s: Situation) -> bool:
    """Whether the settle time is over and the observed share of requests agrees with the weight."""
    policy, share = s.run.policy, s.evidence.share
    if not s.run.routed:
        return True  # no proxy has ever heard of the canary
    if s.elapsed < policy.settle_seconds:
        return False
    if not s.run.shows_in_shares or (share is not None and share.agrees_with(_percent_seen(s))):
        return True
    # While the canary is judged, a data plane that does not follow holds the run; elsewhere nothing waits for ever.
    limit = SETTLE_LIMIT * policy.settle_seconds if share is None else policy.promote_seconds
    return s.run.phase not in RAMPING and s.elapsed >= limit


def _percent_seen(s: Situation) -> int:
    """Return the canary's share of what both arms answer, in percent: half beside a baseline of the same weight."""
    if s.run.fresh is not None:
        return 50 if s.view.weight else 0
    return s.view.weight or 0


def step_over(s: Situation) -> bool:
    """Whether the step has had its time and its requests, its approval, and at the last comparison its verdict."""
    if s.run.phase is Phase.AWAITING_APPROVAL:
        return s.view.wishes.approve == s.run.name
    match s.run.ramp_step:
        case Step(seconds=seconds, requests=requests):
            enough = s.elapsed >= seconds and s.evidence.step_requests >= requests
            # Too little data never promotes: the deadline sends traffic back.
            return enough and not (is_last_comparison(s.run.ramp, s.run.step) and too_thin(s))
        case Climb(weight=weight):
            following = weight_after(s)
            return not too_thin(s) if following is None else following > weight
        case ApprovalStep():
            return False  # it is over in the phase AwaitingApproval
        case step:
            return s.elapsed >= seconds_of(step)


def weight_after(s: Situation) -> int | None:
    """Return the weight that an adaptive ramp goes to now, in percent, or None: it has passed."""
    step = s.run.ramp_step
    if not isinstance(step, Climb):
        return None
    standing = Standing(
        weight=step.weight,
        seconds=s.elapsed,
        requests=s.evidence.step_requests,
        requests_per_second=s.evidence.requests_per_second,
        verdict=s.evidence.verdict,
    )
    return next_weight(step.adaptive, standing, s.run.policy.judgement)


def approval_taken(s: Situation) -> bool:
    """Whether an approval that has opened one gate cannot open the next one too."""
    return not s.run.approved or s.view.wishes.approve != s.run.name


def all_told(moment: Moment) -> Goal:
    """Return whether all who are to be told have been, or have had their time: nobody's traffic waits for them."""
    return lambda s: all(call.key in s.view.answers for call in told(s.run, moment)) or _has_been_tried(s)


def _has_been_tried(s: Situation) -> bool:
    """Whether there was time for what nobody's traffic waits for; after a restart it is tried once, however late."""
    return s.elapsed > TELL_LIMIT and not s.view.first_look


def paused(s: Situation) -> bool:
    """Whether the settle time is over, whatever the share of requests."""
    return s.elapsed >= s.run.policy.settle_seconds


def drained(s: Situation) -> bool:
    """Whether no new request goes to the canary, matched ones included."""
    return not s.view.routed or (s.run.traffic == NOTHING and traffic_set(s))


def off_route(s: Situation) -> bool:
    """Whether no route names the canary."""
    return not s.view.routed


def disowned(s: Situation) -> bool:
    """Whether no field of a route is ours any more; where another run shares the route, that run sees to it."""
    return not s.view.owned or _has_been_tried(s)


def given_back(s: Situation) -> bool:
    """Whether the routes are their owner's again."""
    return off_route(s) and disowned(s)


def new_images_running(s: Situation) -> list[bool]:
    """Say of each image that the run changes whether stable has the new one."""
    new = {name: image for name, image in s.run.images.items() if s.run.stable_images[name] != image}
    return [s.view.stable.images.get(name) == image for name, image in new.items()]


def stable_patched(s: Situation) -> bool:
    """Whether stable's template has every new image."""
    return all(new_images_running(s))


def stable_restored(s: Situation) -> bool:
    """Whether stable's template has no new image (any more)."""
    return not s.run.stable_patched or not any(new_images_running(s))


def stable_available(s: Situation) -> bool:
    """Whether stable is rolled out with the new images."""
    return stable_patched(s) and s.view.stable.settled


def relieved(s: Situation) -> bool:
    """Whether stable may lose all its pods for its new images: it has no requests, or has the images already."""
    return traffic_set(s) or stable_patched(s)


def sheltered(s: Situation) -> bool:
    """Whether stable may lose all its pods for its old images: it has them, or no requests; or waiting is no use."""
    return stable_restored(s) or traffic_set(s) or _unshelterable(s)


def _unshelterable(s: Situation) -> bool:
    """Whether nobody can serve instead of stable, or requests do not get there in the time that it may roll out in."""
    begun = next((moment.at for moment in s.run.timeline if moment.phase is Phase.ABORTING), s.now)
    too_late = s.now - begun > s.run.policy.promote_seconds and not s.view.first_look
    return not _serving(s) or bool(s.view.missing_routes) or too_late


def shelter_settled(s: Situation) -> bool:
    """Whether the data plane has followed, where that matters."""
    return stable_restored(s) or not _serving(s) or settled(s)


def _serving(s: Situation) -> bool:
    return s.view.canary is not None and s.view.canary.available > 0


def stable_recovered(s: Situation) -> bool:
    """Whether stable can take all requests, or nobody else can.

    The canary goes on serving while stable recovers, if it can. A stable that we never touched, and a canary that
    cannot serve, are no reason to keep users on the canary.
    """
    enough = overlong(s) and s.view.stable.available >= ENOUGH * s.view.stable.replicas
    return not s.run.stable_patched or s.view.stable.settled or not _serving(s) or enough


def canary_deleted(s: Situation) -> bool:
    """Whether every sibling's Deployment and every pod of it are gone.

    Pods of a node that is lost stay until the node is taken away, and somebody's finalizer may hold a Deployment: no
    route leads there any more, so that these are not waited for without end.
    """
    if overlong(s):
        return all(each is None or each.deleted for each in siblings(s))
    return not any(siblings(s)) and s.view.canary_pods == 0


def services_deleted(s: Situation) -> bool:
    """Whether every sibling's Service is gone."""
    return not s.view.services_left


def overlong(s: Situation) -> bool:
    """Whether the stage has taken as long as a whole Deployment may take to roll out, and something was tried."""
    return s.elapsed > s.run.policy.promote_seconds and not s.view.first_look


def closed(s: Situation) -> bool:
    """Whether the trigger is taken away and the outcome written; admission that drops our status is given up on."""
    is_taken = bool(s.run.baseline) or s.view.wishes.trigger != s.run.trigger
    return s.view.wishes.closed or (is_taken and overlong(s))


def start_limit(run: Run) -> float:
    """Return how long a stage may take that has to do with the canary coming up, in seconds."""
    return run.policy.start_seconds


def promote_limit(run: Run) -> float:
    """Return how long a stage may take that has to do with stable rolling out, in seconds."""
    return run.policy.promote_seconds


def too_thin(s: Situation) -> bool:
    """Whether too little was seen to judge by: no verdict, too few requests, or a metric that nobody has data of."""
    verdict = s.evidence.verdict
    if verdict is None or verdict.decision is Decision.INCONCLUSIVE:
        return True
    return any(metric.state is MetricState.NO_DATA for metric in verdict.metrics)
