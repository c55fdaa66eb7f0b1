"""`canary-analyzer`, but while the file that the first argument names is there, every pass fails."""

import sys
from pathlib import Path

from canary_analyzer.cli import main
from canary_analyzer.service import rollouts

DEFECT = Path(sys.argv.pop(1))
sampled = rollouts.sampled


def sampled_or_not(*arguments):
    if DEFECT.exists():
        raise RuntimeError("a defect, made to see what is said of one")
    return sampled(*arguments)


rollouts.sampled = sampled_or_not
main()
