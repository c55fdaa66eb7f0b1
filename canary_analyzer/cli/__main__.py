"""`python -m canary_analyzer.cli`."""

from canary_analyzer.cli.app import main

main()
