"""Logs as JSON lines on standard error: one line per event, with the event's name, level and time (UTC)."""

import logging
import sys

import structlog


def configure_logging(level: str = "info") -> None:
    """Send this process's structlog events of at least `level` to standard error as JSON lines."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger(part: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines say which part of the program speaks."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(part=part)
    return logger


def tell_hardening(refused: tuple[str, ...]) -> None:
    """Log what the system refused of keeping this process's memory to itself."""
    for why in refused:
        get_logger("process").warning("hardening.refused", why=why)
