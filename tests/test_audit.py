"""What `make audit` says of pip-audit's report."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest


@pytest.fixture
def audit():
    spec = spec_from_file_location("audit", Path(__file__).parent / "audit.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_vulnerability_is_a_line_and_what_was_not_asked_about_is_none(audit):
    known = {"id": "PYSEC-1", "fix_versions": ["2.0", "1.9.1"]}
    report = {
        "dependencies": [
            {"name": "good", "version": "1.0", "vulns": []},
            {"name": "bad", "version": "1.8", "vulns": [known, {"id": "GHSA-2", "fix_versions": []}]},
            {"name": "private", "skip_reason": "not found"},
        ]
    }
    assert list(audit.vulnerable(report)) == [
        "  bad 1.8: PYSEC-1, mended in 2.0, 1.9.1",
        "  bad 1.8: GHSA-2, mended in no version yet",
    ]


GOOD = json.dumps({"dependencies": [{"name": "good", "version": "1.0", "vulns": []}]})
BAD = json.dumps({"dependencies": [{"name": "bad", "version": "1.0", "vulns": [{"id": "X-1", "fix_versions": []}]}]})
PLAYS = {
    "nobody can be asked": ("sys.exit('no connection')", 0, "skipped: the service that knows vulnerabilities cannot"),
    "all is well": (f"print({GOOD!r})", 0, "1 dependencies asked about, 0 vulnerabilities"),
    "something is known": (f"print({BAD!r})", 1, "bad 1.0: X-1, mended in no version yet"),
    "no report after the first answer": (f"print({GOOD!r}) if probe else sys.exit('no such hash')", 1, "no such hash"),
}


@pytest.fixture
def pip_audit(audit, tmp_path, monkeypatch):
    """Put another pip-audit in the place of ours."""
    monkeypatch.setattr(audit, "LOCKS", audit.LOCKS[:1])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return (tmp_path / "pip_audit.py").write_text


ASKED = "import sys, time\nif '--version' in sys.argv: sys.exit()\nprobe = '--no-deps' in sys.argv\n"


@pytest.mark.parametrize(("play", "code", "says"), PLAYS.values(), ids=PLAYS)
def test_it_fails_for_what_is_known_and_where_there_is_no_report(audit, pip_audit, capsys, play, code, says):
    pip_audit(ASKED + play)
    assert (audit.main(), says in capsys.readouterr().out) == (code, True)


def test_it_fails_where_the_tool_does_not_work(audit, pip_audit, capsys):
    pip_audit("import nowhere_to_be_found")
    assert audit.main() == 1
    assert "nothing was asked: ModuleNotFoundError" in capsys.readouterr().out


def test_one_that_says_nothing_after_its_first_answer_is_not_waited_for(audit, pip_audit, capsys, monkeypatch):
    pip_audit(f"{ASKED}print({GOOD!r}) if probe else time.sleep(60)")
    monkeypatch.setattr(audit, "PATIENCE_SECONDS", 5.0)  # the first one has to be in time
    assert audit.main() == 0
    assert "does not answer any more" in capsys.readouterr().out
