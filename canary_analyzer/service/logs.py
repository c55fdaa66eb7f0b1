"""Logs: one JSON object a line, with namespace, deployment, run and step bound while a run is worked on."""

import logging
import sys

import structlog


def configure() -> None:
    """Write log lines to standard error: standard output is for what a command was asked for."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        # Each line is one write: of two, as `print` makes them, a library's line would come in between.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries warn through the standard library; their lines must be JSON too.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.captureWarnings(capture=True)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # A connection that is tried once more is not news: what fails in the end, we say ourselves, with less of the URL.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
