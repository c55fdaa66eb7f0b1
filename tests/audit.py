"""`make audit`: known vulnerabilities of what the service and the sample app are made of, where anybody can be asked.

pip-audit asks a service on the network. Where that cannot be reached, or knows none of our dependencies (a mirror of
packages alone), nothing is found for the wrong reason; so that is said, and only a vulnerability makes this fail.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LOCKS = ("requirements-service.lock", "flask_app/requirements.lock")
OPTIONS = ("--disable-pip", "--progress-spinner", "off", "--timeout", "5", "--format", "json")
PATIENCE_SECONDS = 120.0
SKIPPED = "audit skipped: the service that knows vulnerabilities {why}"


def main() -> int:
    """Print what is known of each lock; fails where something is."""
    if why := _unreachable(Path(LOCKS[0])):
        print(SKIPPED.format(why=why))
        return 0
    found = 0
    for lock in LOCKS:
        report = _report("--requirement", lock, "--require-hashes")
        asked = [each for each in report["dependencies"] if "skip_reason" not in each]
        lines = list(vulnerable(report))
        found += len(lines)
        print("\n".join([f"{lock}: {len(asked)} dependencies asked about, {len(lines)} vulnerabilities", *lines]))
    return 1 if found else 0


def vulnerable(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each vulnerability of pip-audit's report."""
    for each in report["dependencies"]:
        for known in each.get("vulns", []):
            remedy = ", ".join(known["fix_versions"]) or "no version yet"
            yield f"  {each['name']} {each['version']}: {known['id']}, mended in {remedy}"


def _unreachable(lock: Path) -> str:
    """Say why nobody can be asked, by asking about one dependency; empty where somebody can."""
    pin = next(line.removesuffix("\\").strip() for line in lock.read_text().splitlines() if "==" in line)
    with TemporaryDirectory() as folder:
        one = Path(folder) / "one.txt"
        one.write_text(f"{pin}\n")
        try:
            (answer,) = _report("--requirement", str(one), "--no-deps")["dependencies"]
        except (ValueError, subprocess.TimeoutExpired):
            return "cannot be reached"
    return "does not know what is asked about" if "skip_reason" in answer else ""


def _report(*arguments: str) -> Mapping[str, Any]:
    """Return pip-audit's report.

    Raises:
        ValueError: There is none: it could not ask.
    """
    command = [sys.executable, "-m", "pip_audit", *arguments, *OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


if __name__ == "__main__":
    sys.exit(main())
