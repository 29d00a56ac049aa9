"""The settings of the life cycle, and the logging set up from them."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TextIO, TypeAlias

from smolcorn import log_config as log_files
from smolcorn.errors import ConfigError
from smolcorn.logging import (
    ACCESS_FORMAT,
    DEFAULT_FORMAT,
    TRACE_LOG_LEVEL,
    AccessFormatter,
    ColourizedFormatter,
    DefaultFormatter,
)

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from configparser import RawConfigParser

    from smolcorn._core import NativeConfig

LifespanMode: TypeAlias = Literal["auto", "on", "off"]
InterfaceName: TypeAlias = Literal["auto", "asgi3", "asgi2", "wsgi"]

LOG_LEVELS: dict[str, int] = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE_LOG_LEVEL,
}

LOGGING_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {
            "()": "smolcorn.logging.DefaultFormatter",
            "fmt": DEFAULT_FORMAT,
            "use_colors": None,
        },
        "access": {
            "()": "smolcorn.logging.AccessFormatter",
            "fmt": ACCESS_FORMAT,
        },
    },
    "handlers": {
        "default": {
            "formatter": "default",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
        },
        "access": {
            "formatter": "access",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
        },
    },
    "loggers": {
        "uvicorn": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "uvicorn.error": {"level": "INFO"},
        "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
    },
}
"""What logging is set to without `log_config`. Programs edit it before they start."""

DEFAULT_LOGGING = copy.deepcopy(LOGGING_CONFIG)
"""The same as nobody has edited it."""


class Settings(NamedTuple):
    """What the life cycle must know. The command line fills it; defaults are set there.

    Everything about sockets, connections and requests is in `native`.
    """

    native: NativeConfig
    """All settings, as the core has them."""

    # The application.
    app: str | Callable[..., Any]
    """Import string, or the application itself."""
    app_dir: str | None
    """What to put in front of `sys.path`; None: nothing."""
    factory: bool
    interface: InterfaceName
    lifespan: LifespanMode
    env_files: tuple[str, ...]
    """Files of variables that are loaded before the application; the later one wins."""

    # The process.
    pid_file: str | None
    """Where to write the number of the process."""

    # The event loop.
    loop: str | Callable[[], AbstractEventLoop]
    """A name, an import string, or what makes a loop; see `smolcorn.loops`."""
    io_threads: int | None
    """None: 0, or 1 where the loop cannot watch a descriptor."""

    # The end.
    limit_max_requests: int | None
    """Completed requests after which the process ends; None: no limit."""
    limit_max_requests_jitter: int
    """Upper end of the random number that is added once to the limit."""
    timeout_graceful_shutdown: float
    """Seconds that requests in flight may go on after the first signal to stop."""

    timeout_keep_alive: float
    """Seconds after which an idle connection ends."""
    drain_delay: float
    """Seconds for which a stopping server goes on to accept connections."""
    timeout_worker_healthcheck: float
    """Seconds for which a worker's loop may be blocked before that is reported."""

    # Logging.
    log_config: str | Mapping[str, Any] | RawConfigParser | Literal[False] | None
    """A file or a mapping for `logging.config`; None: `LOGGING_CONFIG`; False: logging is
    set up by somebody else."""
    log_level: str | int | None
    """None: as the logging configuration says."""
    access_log: bool
    use_colors: bool | None
    """None: if standard output is a terminal."""


class LoggingSettings(NamedTuple):
    """Those fields of `Settings` that are about logging."""

    log_config: str | Mapping[str, Any] | RawConfigParser | Literal[False] | None
    log_level: str | int | None
    access_log: bool
    use_colors: bool | None


def configure_logging(settings: Settings | LoggingSettings) -> None:
    """Sets Python's logging up. Raises ConfigError for a configuration in error."""
    logging.addLevelName(TRACE_LOG_LEVEL, "TRACE")
    level = _level_number(settings.log_level)
    source = settings.log_config
    if isinstance(source, str):
        with log_files.errors_name(source):
            _apply(log_files.read(source), settings.use_colors)
    elif source is not False:
        with log_files.errors_name(None):
            _apply(LOGGING_CONFIG if source is None else source, settings.use_colors)
    if level is not None:
        for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
            logging.getLogger(name).setLevel(level)
    if not settings.access_log:
        access = logging.getLogger("uvicorn.access")
        access.handlers = []
        access.propagate = False


def _apply(
    config: Mapping[str, Any] | RawConfigParser, use_colors: bool | None
) -> None:
    if config == DEFAULT_LOGGING and "logging.config" not in sys.modules:
        _apply_default(use_colors)
        return
    import logging.config
    from configparser import RawConfigParser

    if isinstance(config, RawConfigParser):
        logging.config.fileConfig(config, disable_existing_loggers=False)
        return
    changed = log_files.with_own_classes(copy.deepcopy(dict(config)))
    if use_colors is not None:
        log_files.set_colors(changed, use_colors)
    logging.config.dictConfig(changed)


def _apply_default(use_colors: bool | None) -> None:
    """Does what `logging.config` does with DEFAULT_LOGGING. That module would take more
    time than a server's own modules: it imports what logs over networks and to files."""
    own = _handler("default", sys.stderr, DefaultFormatter, DEFAULT_FORMAT, use_colors)
    access = _handler("access", sys.stdout, AccessFormatter, ACCESS_FORMAT, use_colors)
    for name, handlers in (
        ("uvicorn", [own]),
        ("uvicorn.error", []),
        ("uvicorn.access", [access]),
    ):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers = handlers
        logger.disabled = False
        if handlers:
            logger.propagate = False


def _handler(
    name: str,
    stream: TextIO,
    formatter: type[ColourizedFormatter],
    text: str,
    use_colors: bool | None,
) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.name = name
    handler.setFormatter(formatter(text, use_colors=use_colors))
    return handler


def _level_number(level: str | int | None) -> int | None:
    if level is None or isinstance(level, int):
        return level
    try:
        return LOG_LEVELS[level.lower()]
    except KeyError:
        names = ", ".join(LOG_LEVELS)
        raise ConfigError(
            f"Unknown log level '{level}'. The levels are {names}."
        ) from None
