"""Arguments and wiring of `canary-analyzer`."""

from canary_analyzer.cli.app import main

__all__ = ["main"]
