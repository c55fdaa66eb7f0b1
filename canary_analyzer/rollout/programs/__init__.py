"""What a run does in each phase, by strategy: one table, as there is one state machine."""

from canary_analyzer.rollout.phases import Phase
from canary_analyzer.rollout.programs import byo, ramp, rolling
from canary_analyzer.rollout.programs.stage import Program, Situation, Stage
from canary_analyzer.rollout.run import Run
from canary_analyzer.rollout.strategy import Strategy

__all__ = [
    "PROGRAMS",
    "Program",
    "Situation",
    "Stage",
    "first_stage",
    "is_leaving",
    "program_of",
    "stage_after",
    "stage_of",
]

_RAMP: dict[Phase, Program] = {
    Phase.STARTING: ramp.STARTING,
    Phase.ANALYSING: ramp.STEP,
    Phase.HOLDING: ramp.STEP,
    Phase.AWAITING_APPROVAL: ramp.STEP,
    Phase.PROMOTING: ramp.PROMOTING,
    Phase.ABORTING: ramp.ABORTING,
}

PROGRAMS: dict[tuple[Strategy, Phase], Program] = {
    (strategy, phase): program
    for strategy, phases in {
        Strategy.CANARY: _RAMP,
        Strategy.BLUE_GREEN: {**_RAMP, Phase.PROMOTING: ramp.PROMOTING_GREEN, Phase.ABORTING: ramp.ABORTING_GREEN},
        Strategy.ROLLING: rolling.PHASES,
        Strategy.BRING_YOUR_OWN: byo.PHASES,
    }.items()
    for phase, program in phases.items()
}


def program_of(run: Run) -> Program:
    """Return the stages of the run's phase."""
    return PROGRAMS[run.strategy, run.phase]


def stage_of(run: Run) -> Stage:
    """Return the stage that the run is at."""
    return stage_named(run, run.stage)


def stage_named(run: Run, name: str) -> Stage:
    """Return a stage of the run's phase."""
    return next(stage for stage in program_of(run) if stage.name == name)


def is_leaving(run: Run) -> bool:
    """Whether the canary is on its way out: its requests are being sent back, or have been."""
    return any(stage.name == run.stage for stage in ramp.LEAVING)


def first_stage(run: Run) -> Stage:
    """Return the stage that the run's phase begins with."""
    return next(stage for stage in program_of(run) if stage.begins(run))


def stage_after(run: Run) -> Stage | None:
    """Return the stage that follows in this phase; None at its end."""
    program = program_of(run)
    following = program.index(stage_of(run)) + 1
    return program[following] if following < len(program) else None
