"""What can go wrong between us and the API server: one family, by what whoever asked can do about it."""

from collections.abc import Mapping

LONGEST_WAIT_SECONDS = 30.0
"""So long we leave a server alone that asks for it (Retry-After); users wait for what is not done meanwhile."""


class ClusterError(Exception):
    """The API server did not do what was asked: the message says what, `status` is the HTTP code (0: no answer).

    `retry_after` is for how many seconds it wants to be left alone, at most `LONGEST_WAIT_SECONDS`; 0: it did not say.
    """

    def __init__(self, message: str, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class NotFound(ClusterError):
    """There is no such object."""


class Conflict(ClusterError):
    """Somebody else wrote in between, or the name is taken: read again and decide again."""


class Taken(Conflict):
    """There is an object of that name."""


class Expired(ClusterError):
    """The server has forgotten what a watch or a list is to go on from: list again."""


REFUSED = frozenset({400, 403, 404, 405, 422})
"""The status of an answer to a write that the API server will never take."""
ERRORS: Mapping[int, type[ClusterError]] = {404: NotFound, 409: Conflict, 410: Expired}
