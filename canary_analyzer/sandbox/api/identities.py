"""Who asks: bearer tokens and the users behind them.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

AUTHENTICATED = "system:authenticated"
MASTERS = "system:masters"
_ACCOUNT = "system:serviceaccount"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A user's name and groups."""

    name: str
    groups: frozenset[str] = frozenset()


ADMIN = Identity(name="kubernetes-admin", groups=frozenset({MASTERS, AUTHENTICATED}))


def service_account(namespace: str, name: str) -> Identity:
    """The identity of a ServiceAccount."""
    groups = frozenset({f"{_ACCOUNT}s", f"{_ACCOUNT}s:{namespace}", AUTHENTICATED})
    return Identity(name=f"{_ACCOUNT}:{namespace}:{name}", groups=groups)


def named(user: str) -> Identity:
    """The identity of a user by name, which may be that of a ServiceAccount."""
    prefix, _, account = user.partition(f"{_ACCOUNT}:")
    namespace, _, name = account.partition(":")
    if not prefix and name:
        return service_account(namespace, name)
    return Identity(name=user, groups=frozenset({AUTHENTICATED}))


class Tokens:
    """The tokens given out so far; that of the administrator is there from the start."""

    def __init__(self) -> None:
        self.admin = secrets.token_urlsafe()
        self._known = {self.admin: ADMIN}

    def issue(self, identity: Identity) -> str:
        """A new token; it does not expire."""
        token = secrets.token_urlsafe()
        self._known[token] = identity
        return token

    def holder(self, authorization: str) -> Identity | None:
        """Who shows this `Authorization` header; None when it is nobody known."""
        return self._known.get(authorization.removeprefix("Bearer "))
