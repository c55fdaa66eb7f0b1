"""`sandbox up` and `demo` of an installation without the extra that brings them what they need."""

import sys

import pytest
from typer.testing import CliRunner

from canary_analyzer.cli.app import app


@pytest.mark.parametrize("words", [["sandbox", "up"], ["demo"]], ids=" ".join)
def test_an_installation_without_the_extra_is_told_what_to_install(monkeypatch, words):
    monkeypatch.setitem(sys.modules, "envoy", None)  # as if it were not there
    told = CliRunner().invoke(app, words)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == "sandbox: envoy not installed: install canary-analyzer[sandbox]\n"
