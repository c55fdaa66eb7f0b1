"""Print what CHANGELOG.md says of a version: the text of its release."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def section(changelog: str, version: str) -> str:
    """Return the text under the heading of a version, as https://keepachangelog.com has it.

    Raises:
        ValueError: there is no such heading, or nothing under it.
    """
    heading = rf"^## \[{re.escape(version)}\](?: - \d{{4}}-\d{{2}}-\d{{2}})?$"
    found = re.search(rf"{heading}\n(?P<text>.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found["text"].strip():
        raise ValueError(f"CHANGELOG.md says nothing under '## [{version}]': give the version a heading with its date")
    return found["text"].strip() + "\n"


def main() -> None:
    """Print the section of the version that the first argument names, with or without a v before it."""
    try:
        sys.stdout.write(section(CHANGELOG.read_text(), sys.argv[1].removeprefix("v")))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
