"""What the tests here share is a package of its own beside them: `make chaos` runs it without pytest as well."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def quiet(logs_for_pytest):
    """Faults are what these tests are made of: nobody wants to read of each."""
    from harness.quiet import silence  # noqa: PLC0415  (the path was not there before)

    silence()
