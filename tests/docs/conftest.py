"""The pages, and what stands in their fenced blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "chart/README.md"])


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Return the commands of a block of shell, comments left out."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def blocks_of(page: Path) -> list[Block]:
    """Return a page's fenced blocks."""
    found = FENCE.finditer(page.read_text())
    return [
        Block(
            page=str(page.relative_to(ROOT)),
            language=each["language"],
            text=re.sub(f"^{each['indent']}", "", each["body"], flags=re.MULTILINE),
        )
        for each in found
    ]


def pytest_generate_tests(metafunc):
    """Give a test every page, or every different block of a language."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    for language in ("sh", "yaml", "json"):
        if f"{language}_block" in metafunc.fixturenames:
            every = {each.text: each for page in PAGES for each in blocks_of(page) if each.language == language}
            found = [each for each in every.values() if not any(_holds(other, each) for other in every.values())]
            ids = [f"{each.page}:{each.text.splitlines()[0][:60]}" for each in found]
            metafunc.parametrize(f"{language}_block", found, ids=ids)


def _holds(block, other):
    """Whether a block has all the lines of another, and more."""
    return set(other.text.splitlines()) < set(block.text.splitlines())


@pytest.fixture
def blocks():
    """Give a page's fenced blocks."""
    return blocks_of


@pytest.fixture(scope="session")
def root():
    return ROOT
