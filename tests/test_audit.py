"""What `make audit` says of pip-audit's report."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def test_each_vulnerability_is_a_line_and_what_was_not_asked_about_is_none():
    spec = spec_from_file_location("audit", Path(__file__).parent / "audit.py")
    audit = module_from_spec(spec)
    spec.loader.exec_module(audit)
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
