"""HTTP clients to whom an answer's head comes in time, however it comes.

The libraries' own time-out is for each read: a server, or a network, that lets the head through byte by byte could hold
a client for hours. Here it is for the whole head; how long a body may take is for those to say who read it.
"""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.poolmanager import pool_classes_by_scheme


class _Reads(io.RawIOBase):
    """What a socket receives; while `until` (monotonic seconds) is set, it has to come by then."""

    def __init__(self, connection: socket.socket, received: io.RawIOBase) -> None:
        self.until: float | None = None
        self._connection, self._received = connection, received

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Wait for bytes, but no longer than is left.

        Raises:
            TimeoutError: none came in time.
        """
        if self.until is not None:
            # 0 would mean not to wait for anything, and be another error.
            self._connection.settimeout(max(self.until - time.monotonic(), 1e-6))
        return self._received.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._received.close()
        super().close()


class _Answer(HTTPResponse):
    """An answer whose status and headers come within the socket's time-out, all of them."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._socket, self._reads = sock, _Reads(sock, self.fp.detach())
        self.fp = io.BufferedReader(self._reads)

    def begin(self) -> None:
        """Read status and headers."""
        seconds = self._socket.gettimeout()
        self._reads.until = None if seconds is None else time.monotonic() + seconds
        try:
            super().begin()
        finally:
            self._reads.until = None
            self._socket.settimeout(seconds)


class _Http(HTTPConnection):
    response_class = _Answer


class _Https(HTTPSConnection):
    response_class = _Answer


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


def in_time(manager: PoolManager) -> None:
    """Let all connections that a manager opens from now on be of this kind; those through SOCKS stay of their own."""
    if manager.pool_classes_by_scheme == pool_classes_by_scheme:
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class Adapter(HTTPAdapter):
    """For `requests`: connections of this kind, through proxies too."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Prepare for addresses that are reached directly."""
        super().init_poolmanager(*args, **kwargs)
        in_time(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        """Prepare for those that a proxy reaches."""
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        in_time(manager)
        return manager
