"""POST to an address of the service's own config, in such a way that nothing of it can reach a log.

Exceptions name the URL and answers are somebody else's words; an address can itself be a secret. So what is said of a
call is ours: the status, or the kind of failure. Redirects are not followed, so that no answer can point elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import requests
from pydantic import AfterValidator

from canary_analyzer import __version__
from canary_analyzer.timely_http import Adapter


def _a_whole_path(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("give the whole path of a file, such as /secrets/token; what it holds does not belong here")
    return path


SecretFile = Annotated[Path, AfterValidator(_a_whole_path)]
"""A file that holds a secret. A path that is none could be the secret, and its name is told where it cannot be read."""


class Unreadable(Exception):
    """A file that holds a secret cannot be read; the message names the file and says why."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What is sent, and where to. Its address is not shown."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    """Content-Type among them."""

    def __repr__(self) -> str:
        return f"Letter({len(self.body)} bytes)"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of it."""

    status: int
    """HTTP status; 0: no answer."""
    text: str
    """What to say of it, as in `the webhook ...`."""
    retry_after: float = 0.0
    """Seconds that the server wants to be left alone."""

    @property
    def ok(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 300


def secret(path: Path) -> str:
    """Return what a file holds, without the space around it; read at each use, so that a rotated one counts.

    Raises:
        Unreadable: it cannot be read.
    """
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        raise Unreadable(f"{path} holds no text") from None


class _Session(requests.Session):
    """Takes a redirect for an answer like any other: to know where it leads, requests would read all of its body."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, Adapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""


def post(letter: Letter, timeout_seconds: float) -> Reply:
    """Send once; `timeout_seconds` is for connecting, and again for the answer."""
    try:
        with (
            _Session() as session,
            session.post(
                letter.url,
                data=letter.body,
                headers={"User-Agent": f"canary-analyzer/{__version__}", **letter.headers},
                timeout=timeout_seconds,
                stream=True,
            ) as response,
        ):
            return _reply(response)
    except requests.Timeout:
        return Reply(status=0, text=f"did not answer within {timeout_seconds:g} s")
    except Exception as error:  # any: an exception that went further would take the address along
        return Reply(status=0, text=f"could not be reached ({type(error).__name__})")


def _reply(response: requests.Response) -> Reply:
    status, wait = response.status_code, response.headers.get("Retry-After", "")
    redirect = ", a redirect, which is not followed" if 300 <= status < 400 else ""
    return Reply(
        status=status, text=f"answered {status}{redirect}", retry_after=float(wait) if wait.isdecimal() else 0.0
    )
