"""The steps that a run takes, by strategy and policy, and the traffic that each of them means."""

from canary_analyzer.analysis.ramp import AdaptiveRamp
from canary_analyzer.rollout.options import Baseline
from canary_analyzer.rollout.policy import RolloutPolicy
from canary_analyzer.rollout.steps import (
    ApprovalStep,
    Climb,
    Match,
    MatchStep,
    MirrorStep,
    PromotionGates,
    RampStep,
    Step,
)
from canary_analyzer.rollout.strategy import Strategy
from canary_analyzer.routing import traffic
from canary_analyzer.routing.traffic import Traffic

NOTHING = Traffic()
"""No request goes to the canary."""


def ramp_of(strategy: Strategy, policy: RolloutPolicy) -> tuple[RampStep, ...]:
    """Return the steps of a run in order, the policy's gates before promotion among them."""
    gates = (PromotionGates(promotion_gates=policy.webhooks.promotion),) if policy.webhooks.promotion else ()
    approval = (ApprovalStep(approval=True),) if policy.approve_before_promotion else ()
    match strategy:
        case Strategy.BLUE_GREEN:
            steps: tuple[RampStep, ...] = _blue_green(policy)
        case Strategy.ROLLING:
            return ()  # its own pace; `rollout.programs.rolling`
        case Strategy.CANARY | Strategy.BRING_YOUR_OWN:
            steps = policy.steps if policy.adaptive is None else _adaptive(policy.steps, policy.adaptive)
    return (*steps, *gates, *approval)


def _adaptive(steps: tuple[RampStep, ...], adaptive: AdaptiveRamp) -> tuple[RampStep, ...]:
    """Put one climb where the weights begin; what stands behind them comes when it is over."""
    first = next(index for index, step in enumerate(steps) if isinstance(step, Step))
    rest = (step for step in steps[first:] if not isinstance(step, Step))
    return (*steps[:first], Climb(adaptive=adaptive, weight=adaptive.first), *rest)


def _blue_green(policy: RolloutPolicy) -> tuple[RampStep, ...]:
    """A ramp in disguise: what is checked in private, one switch, a time of comparison, a time to turn back."""
    plan = policy.blue_green
    compared = Step(weight=100 - plan.control_percent or 100, seconds=plan.analysis_seconds, requests=plan.requests)
    return (*plan.preview, compared, Step(weight=100, seconds=plan.keep_seconds, requests=0))


def is_last_comparison(ramp: tuple[RampStep, ...], index: int) -> bool:
    """Whether this is the last step at which both versions have users: the verdict has to be given there."""
    compared = [i for i, step in enumerate(ramp) if isinstance(step, Step | Climb) and step.weight < 100]
    return bool(compared) and index == compared[-1]


def switch_of(ramp: tuple[RampStep, ...]) -> int:
    """Return the index of the last step that gives the canary a weight: in blue-green, of all requests."""
    return max(index for index, step in enumerate(ramp) if isinstance(step, Step))


def weights_of(ramp: tuple[RampStep, ...]) -> tuple[int, ...]:
    """Return the weights that a ramp goes through, in percent; of a climb, the first and the last."""
    climb = next((step.adaptive for step in ramp if isinstance(step, Climb)), None)
    return (climb.first, climb.largest) if climb else tuple(step.weight for step in ramp if isinstance(step, Step))


def speaks_of_traffic(step: RampStep) -> bool:
    """Whether a step says what the canary gets."""
    return isinstance(step, Step | Climb | MirrorStep | MatchStep)


def load_of(step: RampStep, before: Traffic) -> int:
    """Return the percentage of stable's requests that a step brings upon the canary; testers are few."""
    match step:
        case Step(weight=weight) | Climb(weight=weight):
            return weight
        case MirrorStep(mirror=mirror):
            return mirror
        case MatchStep():
            return 0
        case _:
            return max(before.weight, before.mirror)


def traffic_of(step: RampStep, before: Traffic, policy: RolloutPolicy, sticky: traffic.Sticky | None) -> Traffic:
    """Return what the canary gets at a step.

    Args:
        step: the step.
        before: what it got until now; steps that do not speak of traffic leave it so.
        policy: whether a fresh baseline takes the same weight.
        sticky: how sessions stick, if they do.
    """
    match step:
        case Step(weight=weight) | Climb(weight=weight):
            # At more than half there is no room for a baseline of the same weight; at 100 there is nothing to compare.
            fresh = policy.baseline is Baseline.FRESH and weight <= 50
            return Traffic(weight=weight, baseline=weight if fresh else 0, sticky=sticky)
        case MirrorStep(mirror=mirror):
            return Traffic(mirror=mirror)
        case MatchStep(match=match):
            return Traffic(match=_match(match))
        case _:
            return before


def traffic_in_words(wanted: Traffic) -> str:
    """Say what the canary gets: `weight 10 %`."""
    if wanted.match is not None:
        return "testers' requests only"
    if wanted.mirror:
        return f"copies of {wanted.mirror} % of the requests"
    return f"weight {wanted.weight} %"


def _match(match: Match) -> traffic.Match:
    return traffic.Match(headers=dict(match.headers), cookie=match.cookie)


def all_traffic(strategy: Strategy, policy: RolloutPolicy, run: str) -> tuple[Traffic, ...]:
    """Return every traffic that a run can ask for, so that a route that cannot carry one is refused at the start."""
    ramp = ramp_of(strategy, policy)
    sticky = sticky_of(policy, ramp, run)
    return tuple(traffic_of(step, NOTHING, policy, sticky) for step in ramp)


def sticky_of(policy: RolloutPolicy, ramp: tuple[RampStep, ...], run: str) -> traffic.Sticky | None:
    """Return how the sessions of a run stick; None where the policy does not ask for it."""
    if policy.sticky is None:
        return None
    return traffic.Sticky(run=run, bounds=weights_of(ramp), cookie=policy.sticky.cookie, seconds=policy.sticky.seconds)
