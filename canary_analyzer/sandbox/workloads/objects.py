"""Questions that all controllers ask of documents: owners, label selectors, time."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from canary_analyzer.sandbox.client import Document


def timestamp(moment: datetime) -> str:
    """A time as the API writes it, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The inverse of `timestamp`; fractions of a second are understood too."""
    return datetime.fromisoformat(text)


def elapsed(since: str, seconds: float, now: datetime) -> bool:
    """Whether so many seconds have passed since a timestamp."""
    return now >= moment(since) + timedelta(seconds=seconds)


def controller_uid(document: Document) -> str | None:
    """The uid of the owner that controls an object."""
    owners = document["metadata"].get("ownerReferences") or ()
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), None)


def controlled(owner: Document, documents: Iterable[Document]) -> list[Document]:
    """The objects that an owner controls, oldest first."""
    uid = owner["metadata"]["uid"]
    return sorted((each for each in documents if controller_uid(each) == uid), key=age_key)


def age_key(document: Document) -> tuple[str, str]:
    """Sorts the oldest first; equal ages by name."""
    return document["metadata"].get("creationTimestamp", ""), document["metadata"]["name"]


def controller_reference(owner: Document) -> Document:
    """The reference by which an object says who controls it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def selects(selector: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a plain label selector matches; an empty one selects nothing, as in a Service."""
    return bool(selector) and (selector or {}).items() <= (labels or {}).items()


def terminating(document: Document) -> bool:
    """Whether deletion has begun."""
    return "deletionTimestamp" in document["metadata"]
