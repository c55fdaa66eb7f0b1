"""Three canaries on the mesh in a box: a good one, a failing one, a slow one."""

from canary_analyzer.sandbox.demo.play import run

__all__ = ["run"]
