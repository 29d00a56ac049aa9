"""What programs import: `Config` and `run`. `Server` is in server.py.

A `Config` is made in this order: arguments, SMOLCORN_ variables, UVICORN_ variables,
`[tool.smolcorn]` of pyproject.toml, defaults; the first that says something wins. Its
attributes may be changed until the server starts. The core checks them then.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from smolcorn import environment, loops, values, worker
from smolcorn.config import (
    LOGGING_CONFIG,
    LoggingSettings,
    configure_logging,
)
from smolcorn.errors import (
    EXIT_OK,
    EXIT_STARTUP,
    EXIT_USAGE,
    ConfigError,
    StartupError,
)
from smolcorn.options import Options, StrPath
from smolcorn.server_config import ServerConfig

if TYPE_CHECKING:
    from ssl import SSLContext

    from typing_extensions import Unpack

    from smolcorn.config import Settings

App: TypeAlias = "Callable[..., Any] | str"
Loop: TypeAlias = "str | loops.LoopFactory"

_IN_PYTHON = {"log_level", "log_config", "env_file", "app_dir", "python"}
"""Options whose values Python keeps; the core need not see them."""

_OF_RELOAD = ("reload_dirs", "reload_includes", "reload_excludes")

_OF_SUPERVISOR = ("workers", "reload")
"""What begins with these is the business of the process above."""

_NOT_OPTIONS: dict[str, Any] = {
    "timeout_notify": 30,
    "callback_notify": None,
    "ssl_context_factory": None,
}
"""Parameters that no command line has, with their defaults."""

_NEEDS_NAME = (
    "You must pass the application as an import string to enable 'reload' or 'workers'."
)

_IN_A_LOOP = "await smolcorn.Server(smolcorn.Config(...)).serve()"

_logger = logging.getLogger("uvicorn.error")

_FIRST = ("host", "port", "uds", "fd", "loop", "http", "http2", "ws")
"""Parameters that may be given by position, after the application."""


class Config(ServerConfig):
    """The settings of a server. Every parameter is an attribute of the same name."""

    if TYPE_CHECKING:
        # Set by name in the constructor; these are the ones that programs read.
        host: str
        port: int
        uds: StrPath | None
        fd: int | None
        root_path: str
        workers: int
        reload: bool
        reload_dirs: list[Path]
        log_level: str | int | None
        log_config: Any
        access_log: bool
        use_colors: bool | None
        backlog: int
        factory: bool
        limit_max_requests: int | None

        # The other options are there too, and programs add attributes of their own.

    def __init__(
        self,
        app: App,
        host: str | None = None,
        port: int | None = None,
        uds: StrPath | None = None,
        fd: int | None = None,
        loop: Loop | None = None,
        http: str | type | None = None,
        http2: bool | None = None,
        ws: str | type | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Sets logging up and loads env files, as every server does when it starts.

        Raises ConfigError.
        """
        super().__init__()
        given: dict[str, Any] = {**options}
        first = (host, port, uds, fd, loop, http, http2, ws)
        given.update(zip(_FIRST, first, strict=True))
        self.app = app
        self._ssl: SSLContext | None = None
        self._given = _fill(self, given)
        self.configure_logging()
        self._complete()
        self._initial = {
            name: [*value] if isinstance(value, list) else value
            for name, value in self.__dict__.items()
        }
        """What the attributes were before the program changed any."""

    def settings(self) -> Settings:
        """What the core and the life of the server go by. Raises ConfigError."""
        from smolcorn import _core

        if self.ssl_context_factory is not None and self._ssl is None:
            from smolcorn import ssl_context

            self._ssl = ssl_context.made_by(self.ssl_context_factory, self)
        texts = [
            (name, text)
            for name in _core.defaults()
            if name not in _IN_PYTHON and not name.startswith(_OF_SUPERVISOR)
            if (text := values.texts(name, self.__dict__.get(name))) is not None
        ]
        try:
            made = _core.settings(self.app if isinstance(self.app, str) else "", texts)
            native = made.native.with_late_environment()
        except ValueError as error:
            raise ConfigError(str(error), EXIT_USAGE) from None
        return made._replace(
            native=native,
            app=self.app,
            app_dir=self.app_dir,
            loop=made.loop if isinstance(self.loop, str) else self.loop,
            log_config=values.log_config(self.log_config),
            log_level=self.log_level,
        )

    def configure_logging(self) -> None:
        """Sets Python's logging up. Raises ConfigError."""
        configure_logging(
            LoggingSettings(
                log_config=values.log_config(self.log_config),
                log_level=self.log_level,
                access_log=self.access_log,
                use_colors=self.use_colors,
            )
        )

    @property
    def http_protocol_class(self) -> type:
        """A name for the engine: the class that was given, or one without content."""
        from smolcorn.compat.uvicorn.protocols.http.auto import AutoHTTPProtocol

        return self.http if isinstance(self.http, type) else AutoHTTPProtocol

    @property
    def ws_protocol_class(self) -> type | None:
        """The same for WebSockets; None if they are switched off."""
        from smolcorn.compat.uvicorn.protocols.websockets.auto import (
            AutoWebSocketsProtocol,
        )

        if self.ws == "none" or self.interface == "wsgi":
            return None
        return self.ws if isinstance(self.ws, type) else AutoWebSocketsProtocol

    def setup_event_loop(self) -> None:
        """Does nothing: `run()` makes the loop. For programs of older uvicorn."""

    def bind_socket(self) -> socket.socket:
        """Binds, announces the address, and returns the socket, for
        `Server.serve(sockets=[...])`. Of a host with several addresses it takes the
        first. Raises BindError or ConfigError."""
        from smolcorn import serving

        return serving.bind_socket(self.settings())

    @property
    def is_ssl(self) -> bool:
        """Whether connections are encrypted."""
        names = ("ssl_keyfile", "ssl_certfile", "ssl_context_factory")
        return any(self.__dict__.get(name) for name in names)

    @property
    def ssl(self) -> SSLContext | None:
        """A context that says what the configuration says of TLS; None without it, and
        before `load()`. Changes in it reach a server that runs (see ssl_context.py).

        Raises what OpenSSL says of the files.
        """
        if self._ssl is None and self.loaded and self.is_ssl:
            from smolcorn.ssl_context import ServerContext

            self._ssl = ServerContext(self)
        return self._ssl

    @ssl.setter
    def ssl(self, context: SSLContext | None) -> None:
        if context is not self._ssl:
            raise AttributeError(
                "'ssl' cannot be replaced, because TLS is native code. Set "
                "'ssl_certfile' and its like, or change the context that is there."
            )

    def tls_changed(self) -> None:
        """Has a server that runs serve new connections by what the attributes say of
        TLS now. Raises ValueError; then it goes on as before."""
        if self.tls is not None:
            self.tls.reconfigure(self.settings().native)

    @property
    def use_subprocess(self) -> bool:
        """Whether `run()` serves in other processes than this one."""
        return bool(self.reload or self.workers > 1)

    @property
    def should_reload(self) -> bool:
        """Whether `run()` starts anew when files change."""
        return isinstance(self.app, str) and bool(self.reload)

    @property
    def asgi_version(self) -> Literal["2.0", "3.0"]:
        """The version of ASGI that the application speaks."""
        asgi2 = "asgi2" in (self.interface, self._interface)
        return "2.0" if asgi2 else "3.0"

    @property
    def encoded_headers(self) -> list[tuple[bytes, bytes]]:
        """`headers` as they go over the wire, with that of the server."""
        lines = values.texts("headers", self.headers) or []
        encoded = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, _, value in (line.partition(":") for line in lines)
        ]
        if self.server_header and b"server" not in dict(encoded):
            encoded.insert(0, (b"server", b"smolcorn"))
        return encoded

    @property
    def reload_dirs_excludes(self) -> list[Path]:
        """Those of `reload_excludes` that are folders."""
        paths = (Path(text) for text in values.texts("", self.reload_excludes) or [])
        return [path.resolve() for path in paths if path.is_dir()]

    def _complete(self) -> None:
        """Loads env files, and settles what they may say."""
        environment.load_files(values.texts("env_file", self.env_file) or [])
        from smolcorn import _core

        late = [
            (name, text)
            for name in ("workers", "forwarded_allow_ips")
            if (text := values.texts(name, self.__dict__[name])) is not None
        ]
        try:
            native = _core.settings("", late).native.with_late_environment()
        except ValueError as error:
            raise ConfigError(str(error), EXIT_USAGE) from None
        self.workers = native.workers or 1
        if self.__dict__["forwarded_allow_ips"] is None:
            self.__dict__["forwarded_allow_ips"] = native.forwarded_allow_ips
        if self.should_reload and not self.reload_dirs:
            self.reload_dirs = [Path.cwd()]
        # Where several processes serve, the one above says it.
        if not self.use_subprocess and any(self.__dict__[name] for name in _OF_RELOAD):
            _logger.warning(
                "Nothing will reload: reload_dirs, reload_includes and reload_excludes "
                "mean nothing without reload=True and an import string."
            )

    @contextlib.contextmanager
    def command_line(
        self, sockets: Sequence[socket.socket] = ()
    ) -> Iterator[list[str]]:
        """The command line that says what this program has said, and to serve on
        `sockets`. It means that inside the block, where the files are that it names.
        Raises ConfigError."""
        from smolcorn import _core

        if not isinstance(self.app, str):
            raise ConfigError(_NEEDS_NAME, EXIT_STARTUP)
        if self.ssl_context_factory is not None:
            raise ConfigError(
                "'ssl_context_factory' cannot be handed to other processes."
            )
        said = {
            name: value
            for name, value in self.__dict__.items()
            if name in _core.defaults()
            if name in self._given or value != self._initial.get(name)
        }
        # Programs change the default in place.
        said.setdefault("log_config", self.log_config)
        if sockets:
            if len(sockets) > 1:
                raise ConfigError("Only one socket can be handed to other processes.")
            said["fd"] = sockets[0].fileno()
        if self.app_dir is None:
            # Not the working directory, which comes first on the command line.
            said["app_dir"] = os.path.abspath(sys.path[0])
        with contextlib.ExitStack() as files:
            files.enter_context(worker.program_handed_on())
            texts = []
            for name, value in said.items():
                if name == "log_config" and not isinstance(value, (str, os.PathLike)):
                    value = files.enter_context(
                        values.json_file(values.log_config(value))
                    )
                if name == "log_level" and isinstance(value, int):
                    value = values.level_name(value)
                if text := values.texts(name, value):
                    texts.append((name, text))
            yield _core.command_line(self.app, texts)


def run(
    app: App,
    host: str | None = None,
    port: int | None = None,
    uds: StrPath | None = None,
    fd: int | None = None,
    loop: Loop | None = None,
    http: str | type | None = None,
    http2: bool | None = None,
    ws: str | type | None = None,
    **options: Unpack[Options],
) -> None:
    """Serves until told to stop.

    Returns after Ctrl-C. After SIGTERM the process dies of the signal, unless somebody
    handles it. Raises SystemExit if the server could not start, with the same status as
    the command line, and RuntimeError where an event loop runs already.
    """
    from smolcorn import process

    if worker.is_importing():
        raise RuntimeError(
            "run() is called by a module that a worker imports to find the application. "
            "Put the call below `if __name__ == '__main__':`."
        )
    try:
        config = Config(app, host, port, uds, fd, loop, http, http2, ws, **options)
        if config.use_subprocess and not isinstance(app, str):
            _logger.warning(_NEEDS_NAME)
            status = EXIT_STARTUP
        elif config.use_subprocess:
            status = _run_command_line(config)
        else:
            loops.refuse_inside_a_loop("smolcorn.run()", _IN_A_LOOP)
            status = process.run_config(config)
    except StartupError as error:
        status = process.report(error)
    if status != EXIT_OK:
        sys.exit(status)


def _run_command_line(config: Config) -> int:
    """Runs several processes, or one that is started anew: as the command line does."""
    from smolcorn import _core

    with config.command_line() as argv:
        return _core.main(argv)


def _fill(config: Config, given: dict[str, Any]) -> dict[str, Any]:
    """Sets the attributes, and returns what was given."""
    from smolcorn import _core

    made = {**_NOT_OPTIONS, **_core.defaults()}
    # On the command line the working directory; a program has its own.
    made["app_dir"] = None
    made["log_config"] = LOGGING_CONFIG
    del made["python"]
    for name in given:
        if name not in made:
            raise TypeError(f"Config() got an unexpected keyword argument '{name}'")
    given = {name: value for name, value in given.items() if _is_given(name, value)}
    # What says nothing is no reason to overlook what is said around the program.
    telling = [name for name, value in given.items() if value not in ("", [])]
    try:
        made.update(_core.surroundings(telling))
    except ValueError as error:
        raise ConfigError(str(error), EXIT_USAGE) from None
    made.pop("python", None)
    made.update(given)
    if made["ws_ping_interval"] is None:
        made["ws_ping_interval"] = 0.0
    if made["ws_ping_timeout"] is None:
        made["ws_ping_timeout"] = 0.0
    for name in _OF_RELOAD:
        made[name] = values.texts(name, made[name]) or []
    made["reload_dirs"] = [Path(text) for text in made["reload_dirs"]]
    config.__dict__.update(made)
    return given


def _is_given(name: str, value: Any) -> bool:
    """None says nothing, except where it says that something is not wanted."""
    may_be_none = ("log_config", "ws_ping_interval", "ws_ping_timeout")
    return value is not None or name in may_be_none


def _signature(*, of_method: bool) -> inspect.Signature:
    """The parameters by name, for programs that ask which ones there are."""
    kinds = inspect.Parameter
    names = ("self", "app") if of_method else ("app",)
    parameters = [kinds(name, kinds.POSITIONAL_OR_KEYWORD) for name in names]
    parameters += [
        kinds(name, kinds.POSITIONAL_OR_KEYWORD, default=None) for name in _FIRST
    ]
    for name in Options.__annotations__:
        default = LOGGING_CONFIG if name == "log_config" else None
        parameters.append(kinds(name, kinds.KEYWORD_ONLY, default=default))
    return inspect.Signature(parameters)


vars(run)["__signature__"] = _signature(of_method=False)
vars(Config.__init__)["__signature__"] = _signature(of_method=True)
