"""What is to be told of one run or refusal, and what has been."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from canary_analyzer.cluster.records import Told
from canary_analyzer.service.notifications.news import Kind, News
from canary_analyzer.service.notifications.settings import Receiver

Key = tuple[str, str]
"""Namespace, and name of a run or of what keeps a refusal."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """News of one run or refusal; each piece is made only where somebody wants it."""

    key: Key
    deployment: Key
    """Whose it is: namespace and name."""
    kinds: Mapping[str, Kind]
    """Of each piece, by the piece's key."""
    make: Callable[[str], News]
    told: Told = field(default_factory=Told)
    """What is known to have been told."""
    settle: Callable[[Told], None] | None = None
    """Called once when all is told; None while more may come."""

    def wanted(self, receiver: Receiver) -> frozenset[str]:
        """Return the keys of what a receiver is to be told."""
        return frozenset(key for key, kind in self.kinds.items() if receiver.wants(kind, self.key[0]))


@dataclass(kw_only=True)
class Account:
    """What receivers, by name, are to be told of one run or refusal, and what they have been told."""

    wanted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    told: dict[str, set[str]] = field(default_factory=dict)
    settle: Callable[[Told], None] | None = None

    def update(self, offer: Offer, receivers: Mapping[str, Receiver]) -> None:
        """Take over what is offered, and what a record says was told."""
        self.wanted = {name: offer.wanted(receiver) for name, receiver in receivers.items()}
        self.settle = offer.settle
        for name, keys in offer.told.receivers.items():
            self.told.setdefault(name, set()).update(keys)

    def note(self, receiver: str, key: str) -> None:
        """Note that a receiver has been told."""
        self.told.setdefault(receiver, set()).add(key)

    def lacks(self, receiver: str) -> frozenset[str]:
        """Return the keys of what a receiver has not been told."""
        return self.wanted.get(receiver, frozenset()) - self.told.get(receiver, set())

    @property
    def is_square(self) -> bool:
        """Whether nothing is left to tell."""
        return not any(self.lacks(receiver) for receiver in self.wanted)

    @property
    def as_told(self) -> Told:
        """What has been told, as a record keeps it."""
        return Told(receivers={name: tuple(sorted(keys)) for name, keys in self.told.items()})
