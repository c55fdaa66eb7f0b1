"""The service's log: it tells of every fault that it meets, and here only of those that are nobody else's."""

import logging

import structlog

_defects: list[str] = []


def silence() -> None:
    """Log nothing; what the service calls a defect of its own is kept."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        processors=[structlog.processors.format_exc_info, _kept],
    )


def defects() -> list[str]:
    """Return what has been kept since the last call."""
    found = _defects.copy()
    _defects.clear()
    return found


def _kept(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if "by a defect of ours" in event["event"]:
        _defects.append(f"{event['event']}: {event.get('exception', '')}")
    raise structlog.DropEvent
