"""What a run waits for just now, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.ramp import traffic_in_words
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.steps import Climb, Step, seconds_of
from canary_analyzer.rollout.story import Story


@dataclass(frozen=True, kw_only=True)
class _Now:
    run: Run
    story: Story
    at: float

    @property
    def elapsed(self) -> float:
        return max(0.0, self.at - self.run.stage_since)

    @property
    def requests(self) -> int:
        """Of the canary, since this stage began."""
        since = self.run.stage_since
        return sum(each.requests.canary for each in self.story.all_samples if each.at > since)


def waits_for(run: Run, story: Story, now: float) -> str:
    """Say what has to happen before a run goes on; empty where it is over.

    Args:
        run: as recorded.
        story: for the requests at this step.
        now: seconds since the epoch.
    """
    if run.ended:
        return ""
    if run.phase is Phase.HOLDING:
        return run.reason
    if run.phase is Phase.AWAITING_APPROVAL:
        return f"approval: kubectl canary approve {run.deployment} -n {run.namespace}"
    words = STAGES.get(run.stage)
    return words(_Now(run=run, story=story, at=now)) if words is not None else run.stage


def _settling(now: _Now) -> str:
    return f"the data plane to follow ({now.elapsed:.0f} s, at least {now.run.policy.settle_seconds:g})"


def _step(now: _Now) -> str:
    run = now.run
    if not run.ramp:
        return "old pods to be replaced, new ones being compared with them"
    step, place = run.ramp_step, f"step {run.step + 1} of {len(run.ramp)} ({traffic_in_words(run.traffic)})"
    match step:
        case Step(seconds=seconds, requests=requests) if now.elapsed >= seconds and now.requests >= requests:
            return f"{place}: enough for a verdict ({now.elapsed:.0f} s, {now.requests} requests)"
        case Step(seconds=seconds, requests=requests):
            return f"{place}: {now.elapsed:.0f} of {seconds:g} s, {now.requests} of {requests} requests"
        case Climb():
            return f"{place}: a risk small enough for the next weight ({now.elapsed:.0f} s, {now.requests} requests)"
        case _:
            return f"{place}: {now.elapsed:.0f} of {seconds_of(step):g} s"


def _always(text: str) -> Callable[[_Now], str]:
    return lambda now: text.format(run=now.run)


STAGES: Mapping[str, Callable[[_Now], str]] = {
    "create canary": _always("Deployment and Service {run.canary} to be created"),
    "await canary": _always("the pods of {run.canary} to become Available"),
    "route canary": _always("the routes to name the canary, at 0 %"),
    "settle route": _settling,
    "take approval": _always("the approval to be taken note of"),
    "hold floor": _always("the autoscaler of {run.stable} to keep its size"),
    "scale canary": _always("{run.canary} to get the pods for its next weight"),
    "await scaled canary": _always("all pods of {run.canary} to become Available"),
    "ask webhooks": _always("webhooks to say yes"),
    "shift weight": _always("the routes to give the canary its weight"),
    "settle weight": _settling,
    "analyse": _step,
    "patch stable": _always("{run.stable} to be given the new version"),
    "await stable": _always("{run.stable} to roll out the new version"),
    "settle stable": _settling,
    "hold weight": _always("the canary to keep its weight"),
    "restore stable": _always("{run.stable} to be given its old version back"),
    "await restored stable": _always("{run.stable} to have its old version back"),
    "drain canary": _always("the routes to take the canary's requests away"),
    "settle drained": _settling,
    "restore route": _always("the routes to be as they were"),
    "settle restored": _settling,
    "release floor": _always("the autoscaler of {run.stable} to be as it was"),
    "delete canary": _always("the pods of {run.canary} to be gone"),
    "delete services": _always("the Service of {run.canary} to be gone"),
    "tell the end": _always("webhooks to hear of the end"),
    "tell of the roll-back": _always("webhooks to hear of the roll-back"),
    "close request": _always("the request to be closed"),
    "find old pods": _always("the pods that serve now to be found"),
    "await metrics": _always("metrics of the pods that serve now"),
    "roll out": _always("{run.stable} to begin with the new version"),
    "await new pods": _always("the first new pod to become Ready"),
    "warm up": _always("new pods to warm up"),
    "release pace": _always("{run.stable} to roll out at its own pace again"),
}
"""By name of the stage; every stage of every program is here."""
