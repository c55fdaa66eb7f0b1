"""The addresses at which pods listen: 127.1.x.y, handed out one by one."""

import secrets
import socket
from collections import deque
from collections.abc import Collection

from canary_analyzer.sandbox.podnetwork import LOCAL

BLOCKS, HOSTS = 256, range(1, 255)


class Addresses:
    """Hands out addresses; one given back is used again as late as possible, for a proxy may still remember it.

    Starts anywhere, so that two sandboxes on one machine seldom meet; where they do, a busy address is passed over.
    """

    def __init__(self) -> None:
        first = secrets.randbelow(BLOCKS)
        blocks = ((first + step) % BLOCKS for step in range(BLOCKS))
        self._free = deque(f"{LOCAL}{block}.{host}" for block in blocks for host in HOSTS)

    def take(self, ports: Collection[int]) -> str:
        """The next address on which nobody listens at these ports."""
        for _ in range(len(self._free)):
            address = self._free.popleft()
            if not any(_busy(address, port) for port in ports):
                return address
            self._free.append(address)
        raise OSError(f"no address in {LOCAL}0.0/16 is free at ports {sorted(ports)}: stop what listens there")

    def give_back(self, address: str) -> None:
        """The pod is gone."""
        self._free.append(address)


def _busy(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
        return False
