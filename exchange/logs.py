"""Logs as JSON lines on standard error: one line per event, with the event's name, level and time (UTC).

What an exception says may be content or a secret, so of a fault the line has its type and where it was raised, and of
what a library logs the text without the values.
"""

import logging
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

# The innermost ones: the rest is how a server comes to its handlers.
_MOST_PLACES: Final = 8


def configure_logging(level: str = "info") -> None:
    """Send this process's structlog events of at least `level` to standard error as JSON lines, and libraries' too."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_text,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    if not any(isinstance(handler, _Libraries) for handler in root.handlers):
        root.addHandler(_Libraries())
    logging.captureWarnings(True)
    threading.excepthook = lambda fault: get_logger("thread").critical("thread.failed", exc_info=fault.exc_value)


def get_logger(part: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines say which part of the program speaks."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(part=part)
    return logger


def tell_hardening(refused: tuple[str, ...]) -> None:
    """Log what the system refused of keeping this process's memory to itself."""
    for why in refused:
        get_logger("process").warning("hardening.refused", why=why)


def place_of(fault: BaseException) -> str:
    """What failed and where in the program, without the fault's own text: that may hold content."""
    places = _places(fault.__traceback__)
    return f"{type(fault).__name__} at {places[-1] if places else 'no place'}"


def _places(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-_MOST_PLACES:]
    return ["/".join(Path(frame.filename).parts[-2:]) + f":{frame.lineno}" for frame in frames]


def _without_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What `exc_info` is about, as a type and places."""
    given = event.pop("exc_info", None)
    fault = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if fault is not None:
        event["fault"] = type(fault).__name__
        event["places"] = _places(fault.__traceback__)
    return event


class _Libraries(logging.Handler):
    """The standard library's loggers."""

    def emit(self, record: logging.LogRecord) -> None:
        """The first line of what is said, with the places of its values left empty: they may be anything."""
        fault = record.exc_info[1] if record.exc_info else None
        says = next(iter(str(record.msg).splitlines()), "")
        if record.name == "py.warnings":
            # FILE:LINE: CATEGORY: text
            says = ": ".join(says.split(": ")[:2])
        get_logger(record.name).log(record.levelno, "library", says=says, exc_info=fault)
