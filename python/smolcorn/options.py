# Made from src/control/cli/table.rs by `REGENERATE=1 cargo test --workspace docs_options`. Edit there.
"""The options that `smolcorn.Config` and `smolcorn.run` take by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from configparser import RawConfigParser
from typing import IO, Any, TypeAlias, TypedDict

StrPath: TypeAlias = "str | os.PathLike[str]"


class Options(TypedDict, total=False):
    """Everything but the first parameters. None: as if it were not given."""

    timeout_notify: int
    """Seconds between two calls of `callback_notify`."""
    callback_notify: Callable[..., Any] | None
    """Awaited every so often while the server runs."""
    app_dir: str | None
    factory: bool | None
    interface: str | None
    lifespan: str | None
    env_file: Sequence[StrPath] | StrPath | None
    root_path: str | None
    reset_contextvars: bool | None
    wsgi_threads: int | None
    binds: Sequence[str] | str | None
    uds_mode: int | str | None
    backlog: int | None
    health_path: str | None
    headers: Sequence[tuple[str | bytes, str | bytes] | str] | None
    server_header: bool | None
    date_header: bool | None
    proxy_headers: bool | None
    forwarded_allow_ips: Sequence[str] | str | None
    limit_concurrency: int | None
    limit_head_size: int | None
    limit_header_count: int | None
    h11_max_incomplete_event_size: int | None
    limit_request_body: int | None
    limit_unread_body: int | None
    limit_body_buffer: int | None
    limit_write_buffer: int | None
    limit_max_requests: int | None
    limit_max_requests_jitter: int | None
    limit_worker_memory: int | None
    limit_worker_age: int | None
    timeout_keep_alive: int | None
    timeout_head: float | None
    timeout_body: float | None
    timeout_write: float | None
    timeout_graceful_shutdown: int | None
    drain_delay: float | None
    timeout_worker_healthcheck: int | None
    io_threads: int | None
    workers: int | None
    preload: bool | None
    restart_blocked_workers: bool | None
    pid_file: str | None
    log_config: StrPath | Mapping[str, Any] | RawConfigParser | IO[Any] | None
    log_level: str | int | None
    access_log: bool | None
    use_colors: bool | None
    trace_file: str | None
    trace_sample: float | None
    trace_actors: str | None
    ws_max_size: int | None
    ws_max_queue: int | None
    ws_ping_interval: float | None
    ws_ping_timeout: float | None
    ws_per_message_deflate: bool | None
    ssl_keyfile: StrPath | None
    ssl_certfile: StrPath | None
    ssl_keyfile_password: str | None
    ssl_version: int | None
    ssl_min_version: str | None
    ssl_cert_reqs: int | None
    ssl_ca_certs: StrPath | None
    ssl_ciphers: str | None
    ssl_handshake_timeout: float | None
    ssl_reload_interval: float | None
    reload: bool | None
    reload_dirs: Sequence[StrPath] | StrPath | None
    reload_includes: Sequence[str] | str | None
    reload_excludes: Sequence[str] | str | None
    reload_delay: float | None
    reload_polling: bool | None
