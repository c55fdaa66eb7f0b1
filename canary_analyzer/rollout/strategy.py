"""How a new version is taken in: the strategies that `canary-analyzer.io/strategy` names, and one that shows itself."""

from enum import StrEnum


class Strategy(StrEnum):
    """The way from one version to the next; with the phase it chooses what a run does (`rollout.programs`)."""

    CANARY = "canary"
    """A small sibling beside stable, and weights that climb."""
    BLUE_GREEN = "blue-green"
    """A full-size sibling, checked in private, and one switch."""
    ROLLING = "rolling"
    """The Deployment's own RollingUpdate, watched."""
    BRING_YOUR_OWN = "bring-your-own"
    """A canary that the user made: not chosen by annotation but known by `canary-analyzer.io/baseline`."""
