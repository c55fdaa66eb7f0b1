"""The service's log, which tells of every fault that it meets."""

import logging

import structlog


def silence() -> None:
    """Log nothing but what makes a program end."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
