"""`hypercorn.asyncio`: `serve()`, by which Quart's own command serves."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

from smolcorn.api import Config
from smolcorn.server import Server

_SAME = {
    "backlog": "backlog",
    "ca_certs": "ssl_ca_certs",
    "certfile": "ssl_certfile",
    "graceful_timeout": "timeout_graceful_shutdown",
    "h11_max_incomplete_size": "h11_max_incomplete_event_size",
    "include_date_header": "date_header",
    "include_server_header": "server_header",
    "keep_alive_timeout": "timeout_keep_alive",
    "keyfile": "ssl_keyfile",
    "keyfile_password": "ssl_keyfile_password",
    "max_requests": "limit_max_requests",
    "max_requests_jitter": "limit_max_requests_jitter",
    "root_path": "root_path",
    "ssl_handshake_timeout": "ssl_handshake_timeout",
    "websocket_max_message_size": "ws_max_size",
    "websocket_ping_interval": "ws_ping_interval",
}
"""Settings of theirs by the names that they have here."""

_MISSING = ("quic_bind", "insecure_bind", "server_names", "alt_svc_headers")
"""Those that mean nothing here, and would be missed."""


async def serve(
    app: Callable[..., Any],
    config: Any,
    *,
    shutdown_trigger: Callable[..., Awaitable[Any]] | None = None,
    mode: str | None = None,
) -> None:
    """Serves on the running loop until `shutdown_trigger()` returns, or until a signal
    if there is none. `config` is a `hypercorn.config.Config`. Raises StartupError."""
    for name in _MISSING:
        if getattr(config, name, None):
            warnings.warn(f"'{name}' is not available: smolcorn serves", stacklevel=2)
    options = {ours: getattr(config, theirs) for theirs, ours in _SAME.items()}
    for name in ("timeout_graceful_shutdown", "timeout_keep_alive"):
        options[name] = math.ceil(options[name])
    if config.verify_mode is not None:
        options["ssl_cert_reqs"] = int(config.verify_mode)
    server = Server(
        Config(
            app,
            interface="wsgi" if mode == "wsgi" else "auto",
            binds=[_address(bind) for bind in config.bind],
            access_log=config.accesslog is not None,
            log_level=_level(config.loglevel),
            **options,
        )
    )
    if shutdown_trigger is None:
        await server.serve()
        return
    async with server:
        await shutdown_trigger()


def _address(bind: str) -> str:
    """What they take, as `binds` has it."""
    if bind.startswith("fd:") and not bind.startswith("fd://"):
        return bind.replace("fd:", "fd://", 1)
    if bind.startswith(("unix:", "fd:")) or ":" in bind.rpartition("]")[2]:
        return bind
    return f"{bind}:8000"


def _level(name: str) -> int:
    number: Any = logging.getLevelName(name.upper())
    return number if isinstance(number, int) else logging.INFO
