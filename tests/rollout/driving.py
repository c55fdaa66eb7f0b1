"""Passes over a run in a world: a cluster that is a value, obeys each write and shows the next pass what came of it."""

from dataclasses import replace

from canary_analyzer.rollout.decide import begin, decide
from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import Situation
from canary_analyzer.rollout.strategy import Strategy

SHORT = {"seconds": 5, "requests": 0}
WEIGHT = {"weight": 50, **SHORT}
LEFT = ["SetTraffic 0", "RestoreRoutes", "DeleteCanary", "DeleteCanaryServices", "CloseRequest"]
"""What the world has of a canary's way out."""


def start(make, strategy=Strategy.CANARY, **policy):
    """Begin a run with a policy of one's own."""
    return begin(make.run(strategy=strategy, policy=make.policy(**policy)), now=0.0)


def one_pass(run, world, now, evidence=None, **seen):
    """Decide once; `seen` is what a pass sees otherwise than the world shows it."""
    view = replace(world.view(), **seen)
    return decide(Situation(run=run, view=view, evidence=evidence or world.evidence(), now=now))


def drive(run, world, *, until=300, each=lambda run, world, now: None):
    """Take passes a second apart until the run ends; `each` may change the world before every one."""
    for passed, _ in _passes(run, world, until, each):
        run = passed
        if run.ended:
            break
    return run


def drive_to(run, world, stage, phase=Phase.ANALYSING):
    """Take passes until the run is at a stage, whose first write is not made; return it and the time."""
    passes = _passes(run, world, 200, lambda *_: None)
    return next((run, now) for run, now in passes if (run.phase, run.stage) == (phase, stage))


def _passes(run, world, until, each):
    """Yield the run and the time after each pass, before its write is made."""
    for now in range(1, until):
        each(run, world, now)
        world.advance(now)
        decision = one_pass(run, world, float(now))
        run = decision.run
        yield run, float(now)
        if decision.action is not None:
            world.obey(decision.action)
