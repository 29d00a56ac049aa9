"""Every setting, under uvicorn's parameter names, and the logging set up from them."""

from __future__ import annotations

import copy
import logging
import logging.config
from collections.abc import Mapping
from configparser import RawConfigParser
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from smolcorn import log_config as log_files
from smolcorn.errors import StartupError
from smolcorn.logging import ACCESS_FORMAT, DEFAULT_FORMAT, TRACE_LOG_LEVEL

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the server has been told to do. Sizes are bytes, times are seconds."""

    # The application.
    app: str
    app_dir: str | None = None
    factory: bool = False
    interface: InterfaceName = "auto"
    lifespan: LifespanMode = "auto"
    env_file: str | None = None
    root_path: str = ""
    reset_contextvars: bool = False

    # Sockets.
    host: str = "127.0.0.1"
    port: int = 8000
    uds: str | None = None
    uds_mode: int | None = None
    fd: int | None = None
    backlog: int = 2048

    # HTTP.
    http: str = "auto"
    ws: str = "auto"
    headers: tuple[tuple[str, str], ...] = ()
    server_header: bool = True
    date_header: bool = True
    proxy_headers: bool = True
    forwarded_allow_ips: str | None = None

    # Limits. None: no limit.
    limit_concurrency: int | None = None
    limit_head_size: int = 65536
    limit_header_count: int = 256
    limit_request_body: int | None = None
    limit_unread_body: int = 1048576
    limit_body_buffer: int = 65536
    limit_write_buffer: int = 65536
    limit_max_requests: int | None = None
    limit_max_requests_jitter: int = 0

    # Timeouts.
    timeout_keep_alive: float = 5.0
    timeout_head: float = 30.0
    timeout_body: float = 60.0
    timeout_write: float = 60.0
    timeout_graceful_shutdown: float | None = 30.0
    """None: for ever."""
    timeout_worker_healthcheck: float = 5.0

    # The event loop and processes.
    loop: str = "auto"
    io_threads: int | None = None
    """None: 0, or 1 where the loop cannot watch a descriptor."""
    workers: int | None = None
    """None: WEB_CONCURRENCY, else 1."""

    # Logging.
    log_config: str | Mapping[str, Any] | None = None
    """A file or a mapping for `logging.config`; None: `LOGGING_CONFIG`."""
    log_level: str | int | None = None
    access_log: bool = True
    use_colors: bool | None = None
    """None: if standard output is a terminal."""

    native: Any = None
    """The same settings as the native core has them."""


def configure_logging(settings: Settings) -> None:
    """Sets Python's logging up. Raises StartupError for a configuration in error."""
    logging.addLevelName(TRACE_LOG_LEVEL, "TRACE")
    level = _level_number(settings.log_level)
    source = settings.log_config
    if isinstance(source, str):
        with log_files.errors_name(source):
            _apply(log_files.read(source), settings.use_colors)
    else:
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
    if isinstance(config, RawConfigParser):
        logging.config.fileConfig(config, disable_existing_loggers=False)
        return
    changed = log_files.with_own_classes(copy.deepcopy(dict(config)))
    if use_colors is not None:
        log_files.set_colors(changed, use_colors)
    logging.config.dictConfig(changed)


def _level_number(level: str | int | None) -> int | None:
    if level is None or isinstance(level, int):
        return level
    try:
        return LOG_LEVELS[level.lower()]
    except KeyError:
        names = ", ".join(LOG_LEVELS)
        raise StartupError(
            f"Unknown log level '{level}'. The levels are {names}."
        ) from None
