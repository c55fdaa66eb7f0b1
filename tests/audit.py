"""`make audit`: known vulnerabilities of what the service and the sample app are made of, where anybody can be asked.

pip-audit asks a service on the network. Where that cannot be reached, or knows none of our dependencies (a mirror of
packages alone), nothing is found for the wrong reason; so that is said. What makes this fail is a vulnerability, or a
pip-audit that does not work.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LOCKS = ("requirements-service.lock", "flask_app/requirements.lock")
PIP_AUDIT = (sys.executable, "-m", "pip_audit")
OPTIONS = ("--disable-pip", "--progress-spinner", "off", "--timeout", "5", "--format", "json")
PATIENCE_SECONDS = 120.0
SKIPPED = "audit skipped: the service that knows vulnerabilities {why}"


def main() -> int:
    """Print what is known of each lock; fails where something is."""
    if why := _broken():
        print(f"pip-audit does not work, and nothing was asked: {why}; install it with make setup")
        return 1
    if why := _unreachable(Path(LOCKS[0])):
        print(SKIPPED.format(why=why))
        return 0
    return max(_audited(lock) for lock in LOCKS)


def _audited(lock: str) -> int:
    """Print what is known of a lock; 1 where something is, or there is no report."""
    try:
        report = _report("--requirement", lock, "--require-hashes")
    except subprocess.TimeoutExpired:
        print(f"{lock}: {SKIPPED.format(why='does not answer any more')}")
        return 0
    except ValueError as error:
        print(f"{lock}: {error}")
        return 1
    asked = [each for each in report["dependencies"] if "skip_reason" not in each]
    lines = list(vulnerable(report))
    print("\n".join([f"{lock}: {len(asked)} dependencies asked about, {len(lines)} vulnerabilities", *lines]))
    return 1 if lines else 0


def vulnerable(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each vulnerability of pip-audit's report."""
    for each in report["dependencies"]:
        for known in each.get("vulns", []):
            remedy = ", ".join(known["fix_versions"]) or "no version yet"
            yield f"  {each['name']} {each['version']}: {known['id']}, mended in {remedy}"


def _broken() -> str:
    """Say why pip-audit cannot even tell its version; empty where it can."""
    done = subprocess.run([*PIP_AUDIT, "--version"], capture_output=True, text=True, check=False)
    return _last_words(done) if done.returncode else ""


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1]


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
    command = [*PIP_AUDIT, *arguments, *OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise ValueError(f"pip-audit gave no report: {_last_words(done)}") from None
    return report


if __name__ == "__main__":
    sys.exit(main())
