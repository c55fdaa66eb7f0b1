"""What can be wrong with a watch, as functions from its lines to what the client gets."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

Lines = AsyncGenerator[bytes, None]
HOLD_SECONDS = 0.5
_STATUS = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
_EXPIRED = {"type": "ERROR", "object": {**_STATUS, "message": "too old resource version"}}


@dataclass(frozen=True, kw_only=True)
class CutWatch:
    """The connection breaks after so many events, or in the middle of the next one."""

    events: int = 0
    inside: bool = False


@dataclass(frozen=True, kw_only=True)
class ExpireWatch:
    """After so many events the history is gone: an ERROR event with 410."""

    events: int = 0


@dataclass(frozen=True, kw_only=True)
class DuplicateEvents:
    """Every event comes twice."""


@dataclass(frozen=True, kw_only=True)
class ReorderEvents:
    """Of every two events that come within half a second the later one is told first."""


WatchFault = CutWatch | ExpireWatch | DuplicateEvents | ReorderEvents


def passed(fault: WatchFault, lines: AsyncIterator[bytes]) -> Lines:
    """The lines that the client gets; where they end, its connection breaks."""
    match fault:
        case CutWatch():
            return _cut(lines, fault)
        case ExpireWatch():
            return _expired(lines, fault.events)
        case DuplicateEvents():
            return _doubled(lines)
        case ReorderEvents():
            return _reordered(lines)


async def _cut(lines: AsyncIterator[bytes], fault: CutWatch) -> Lines:
    told = 0
    while told < fault.events or fault.inside:
        line = await anext(lines, b"")
        if not line or told == fault.events:
            yield line[: len(line) // 2]
            return
        yield line
        told += 1


async def _expired(lines: AsyncIterator[bytes], events: int) -> Lines:
    for _ in range(events):
        yield await anext(lines, b"")
    yield json.dumps(_EXPIRED).encode() + b"\n"


async def _doubled(lines: AsyncIterator[bytes]) -> Lines:
    async for line in lines:
        yield line
        yield line


async def _reordered(lines: AsyncIterator[bytes]) -> Lines:
    first = await anext(lines, b"")
    while first:
        following = asyncio.ensure_future(anext(lines, b""))
        # An event alone must not wait for ever.
        await asyncio.wait({following}, timeout=HOLD_SECONDS)
        if not following.done():
            yield first
            first = await following
            continue
        yield following.result()
        yield first
        first = await anext(lines, b"") if following.result() else b""
