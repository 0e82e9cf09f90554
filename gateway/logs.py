"""Logs: one line an event, to stderr; for a terminal where there is one, else JSON."""

from __future__ import annotations

import logging
import sys

import structlog


def start_logging(*, quiet: bool = False) -> None:
    """Set up logging for this process. *quiet* leaves errors only, for a terminal that is used for something else."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR if quiet else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
