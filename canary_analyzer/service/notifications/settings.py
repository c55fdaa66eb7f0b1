"""Who is told what; addresses that are secrets come from files or the environment, never from the config itself."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from canary_analyzer.rollout.fields import Seconds, Settings
from canary_analyzer.service.notifications.news import Kind
from canary_analyzer.service.posting import SecretFile, Unreadable, secret

USUAL = tuple(kind for kind in Kind if kind is not Kind.PASSED)


class Form(StrEnum):
    """How a receiver wants to be told."""

    SLACK = "slack"
    """An incoming webhook of Slack, or of what takes the same (Mattermost, Rocket.Chat)."""
    TEAMS = "teams"
    """A workflow of Microsoft Teams ("When a Teams webhook request is received")."""
    WEBHOOK = "webhook"
    """CloudEvents 1.0 over HTTP, structured mode."""


class Receiver(Settings):
    """Somebody who is told; exactly one of `url`, `url_file` and `url_env` says where."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    """For logs, metrics and the record of what was told."""
    kind: Form
    url: str = ""
    """In clear, for `webhook` only: whoever knows the address of a chat can write to it."""
    url_file: SecretFile | None = None
    """Holds the address, and nothing else; read at each try, so that a rotated one is used."""
    url_env: str = ""
    """Environment variable that holds it."""
    headers_from_file: Mapping[str, SecretFile] = {}
    """Header by file, for `webhook` only, such as {Authorization: /secrets/token}."""
    events: Annotated[tuple[Kind, ...], Field(min_length=1)] = USUAL
    """What to tell; all but `passed`, which `promoted` follows within minutes."""
    namespaces: tuple[str, ...] = ()
    """Whose runs to tell of; none means all."""
    timeout_seconds: Annotated[Seconds, Field(le=60)] = 10.0
    """For one try."""
    give_up_seconds: Seconds = 6 * 3600.0
    """After what happened: older news is not told any more."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if wrong := [*self._mistakes()]:
            raise ValueError("; ".join(wrong))
        return self

    def _mistakes(self) -> list[str]:
        given = [name for name in ("url", "url_file", "url_env") if getattr(self, name)]
        wrong = []
        if len(given) != 1:
            wrong.append(f"give one of url, url_file and url_env, not {' and '.join(given) or 'none'}")
        if self.url and self.kind is not Form.WEBHOOK:
            wrong.append(
                f"url: whoever knows it can write to your {self.kind} channel; put it in a file and name it in url_file"
            )
        elif self.url and (problem := _unusable(self.url)):
            wrong.append(f"url: {problem}")
        if self.headers_from_file and self.kind is not Form.WEBHOOK:
            wrong.append(f"headers_from_file: {self.kind} looks at no headers; remove it")
        return wrong

    def wants(self, kind: Kind, namespace: str) -> bool:
        """Whether it is told of such things in such a namespace."""
        return kind in self.events and (not self.namespaces or namespace in self.namespaces)

    def address(self) -> str:
        """Return where to send to.

        Raises:
            Unreadable: the file or variable has no usable address; the message does not hold it.
        """
        url, source = self.url, "url"
        if self.url_file is not None:
            url, source = secret(self.url_file), str(self.url_file)
        elif self.url_env:
            url, source = os.environ.get(self.url_env, "").strip(), f"the environment variable {self.url_env}"
        if problem := _unusable(url):
            raise Unreadable(f"{source}: {problem}")
        return url


def _unusable(url: str) -> str:
    """Say what is wrong with an address, without repeating it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "it is no URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it holds no URL that begins with https:// or http://"
    return "it holds credentials; use headers_from_file" if "@" in parts.netloc else ""
