"""What programs import: `Config` and `run`. `Server` is in server.py.

A `Config` is made in this order: arguments, SMOLCORN_ variables, UVICORN_ variables,
`[tool.smolcorn]` of pyproject.toml, defaults; the first that says something wins. Its
attributes may be changed until the server starts. The core checks them then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import math
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from configparser import ConfigParser, RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from smolcorn import environment, interfaces, loops
from smolcorn.config import (
    LOG_LEVELS,
    LOGGING_CONFIG,
    LoggingSettings,
    Settings,
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

if TYPE_CHECKING:
    from typing_extensions import Unpack

App: TypeAlias = "Callable[..., Any] | str"
Loop: TypeAlias = "str | loops.LoopFactory"

_IN_PYTHON = {"log_level", "log_config", "env_file", "app_dir", "python"}
"""Options whose values Python keeps; the core need not see them."""

_OF_SUPERVISOR = ("workers", "reload")
"""What begins with these is the business of the process above."""

_FOREVER = "4294967295"
"""The longest time that the core takes, seconds."""

_NOT_OPTIONS: dict[str, Any] = {
    "timeout_notify": 30,
    "callback_notify": None,
    "ssl_context_factory": None,
}
"""Parameters that no command line has, with their defaults."""

_FIRST = ("host", "port", "uds", "fd", "loop", "http", "http2", "ws")
"""Parameters that may be given by position, after the application."""


class Config:
    """The settings of a server. Every parameter is an attribute of the same name."""

    if TYPE_CHECKING:
        # Set by name in the constructor; these are the ones that programs read.
        host: str
        port: int
        uds: StrPath | None
        fd: int | None
        loop: Loop
        root_path: str
        lifespan: Literal["auto", "on", "off"]
        workers: int
        reload: bool
        log_level: str | int | None
        log_config: Any
        access_log: bool
        use_colors: bool | None
        backlog: int
        factory: bool
        limit_max_requests: int | None
        timeout_notify: int
        callback_notify: Callable[..., Any] | None

        # The other options are there too, and programs add attributes of their own.
        def __getattr__(self, name: str) -> Any: ...

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
        given: dict[str, Any] = {**options}
        first = (host, port, uds, fd, loop, http, http2, ws)
        given.update(zip(_FIRST, first, strict=True))
        self.app = app
        self.loaded = False
        """Whether `load()` has found the application."""
        self.loaded_app: Any = None
        """The application as the server calls it. May be replaced until it starts."""
        self.ssl: None = None
        """For programs that look: TLS is native code, and has no context to change."""
        self._interface: interfaces.Interface = "asgi3"
        self._settings: Settings | None = None
        self._given = _fill(self, given)
        self.configure_logging()
        self._complete()
        self._initial = dict(self.__dict__)
        """What the attributes were before the program changed any."""

    @classmethod
    def of(cls, settings: Settings) -> Config:
        """The configuration of a command line. It has those attributes that the life
        of a server depends on."""
        config = cls.__new__(cls)
        fields = {name: getattr(settings, name) for name in settings.__slots__}
        config.__dict__.update(_NOT_OPTIONS, **fields)
        config._given, config._initial = {}, {}
        config._interface = "asgi3"
        config._settings = settings
        config.loaded, config.loaded_app, config.ssl = False, None, None
        return config

    def settings(self) -> Settings:
        """What the core and the life of the server go by. Raises ConfigError."""
        if self._settings is not None:
            return self._settings
        from smolcorn import _core

        texts = [
            (name, text)
            for name in _core.defaults()
            if name not in _IN_PYTHON and not name.startswith(_OF_SUPERVISOR)
            if (text := _texts(name, self.__dict__.get(name))) is not None
        ]
        try:
            made = _core.settings(self.app if isinstance(self.app, str) else "", texts)
            native = made.native.with_late_environment()
        except ValueError as error:
            raise ConfigError(str(error), EXIT_USAGE) from None
        return dataclasses.replace(
            made,
            native=native,
            app=self.app,
            app_dir=self.app_dir,
            loop=made.loop if isinstance(self.loop, str) else self.loop,
            log_config=_log_config(self.log_config),
            log_level=self.log_level,
        )

    def configure_logging(self) -> None:
        """Sets Python's logging up. Raises ConfigError."""
        if self._settings is not None:
            configure_logging(self._settings)
            return
        configure_logging(
            LoggingSettings(
                log_config=_log_config(self.log_config),
                log_level=self.log_level,
                access_log=self.access_log,
                use_colors=self.use_colors,
            )
        )

    def load(self) -> None:
        """Imports the application and adapts it. Raises AppError or ConfigError, and
        what the application's own module raises."""
        assert not self.loaded, "The configuration has been loaded already."
        self.loaded_app = self.load_app()
        self.loaded = True

    def load_app(self) -> Any:
        """Returns the application as the server calls it."""
        settings = self.settings()
        if settings.app_dir is not None and settings.app_dir not in sys.path[:1]:
            sys.path.insert(0, settings.app_dir)
        application = interfaces.load_application(settings)
        self._interface = application.interface
        return application.served

    @property
    def application(self) -> interfaces.Application:
        """What `load()` has found."""
        return interfaces.prepared(self.loaded_app, self._interface)

    def get_loop_factory(self) -> loops.LoopFactory:
        """Returns what makes the event loop. Raises ConfigError."""
        return loops.loop_factory(self.loop)

    def setup_event_loop(self) -> None:
        """Does nothing: `run()` makes the loop. For programs of older uvicorn."""

    def bind_socket(self) -> socket.socket:
        """Binds, announces the address, and returns the socket, for
        `Server.serve(sockets=[...])`. Of a host with several addresses it takes the
        first. Raises BindError or ConfigError."""
        from smolcorn import server

        return server.bind_socket(self.settings())

    @property
    def is_ssl(self) -> bool:
        """Whether connections are encrypted."""
        values = self.__dict__
        return bool(values.get("ssl_keyfile") or values.get("ssl_certfile"))

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
        """`headers` as they go over the wire."""
        split = (text.partition(":") for text in _texts("headers", self.headers) or [])
        return [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, _, value in split
        ]

    def _complete(self) -> None:
        """Loads env files, and settles what they may say."""
        environment.load_files(_texts("env_file", self.env_file) or [])
        from smolcorn import _core

        late = [
            (name, text)
            for name in ("workers", "forwarded_allow_ips")
            if (text := _texts(name, self.__dict__[name])) is not None
        ]
        try:
            native = _core.settings("", late).native.with_late_environment()
        except ValueError as error:
            raise ConfigError(str(error), EXIT_USAGE) from None
        self.workers = native.workers or 1
        if self.__dict__["forwarded_allow_ips"] is None:
            self.__dict__["forwarded_allow_ips"] = native.forwarded_allow_ips

    @contextlib.contextmanager
    def command_line(
        self, sockets: Sequence[socket.socket] = ()
    ) -> Iterator[list[str]]:
        """The command line that says what this program has said, and to serve on
        `sockets`. Files that it names are there until the end of the block. Raises
        ConfigError."""
        from smolcorn import _core

        if not isinstance(self.app, str):
            raise ConfigError(
                "You must pass the application as an import string to enable "
                "'reload' or 'workers'.",
                EXIT_STARTUP,
            )
        said = {
            name: value
            for name, value in self.__dict__.items()
            if name in _core.defaults()
            if name in self._given or value != self._initial.get(name)
        }
        if sockets:
            if len(sockets) > 1:
                raise ConfigError("Only one socket can be handed to other processes.")
            said["fd"] = sockets[0].fileno()
        with contextlib.ExitStack() as files:
            texts = []
            for name, value in said.items():
                if name == "log_config" and not isinstance(value, (str, os.PathLike)):
                    value = files.enter_context(_json_file(_log_config(value)))
                if name == "log_level" and isinstance(value, int):
                    value = _level_name(value)
                if text := _texts(name, value):
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
    the command line.
    """
    from smolcorn import server

    try:
        config = Config(app, host, port, uds, fd, loop, http, http2, ws, **options)
        if config.use_subprocess:
            status = _run_command_line(config)
        else:
            status = server.run_config(config)
    except StartupError as error:
        status = server.report(error)
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

    values = {**_NOT_OPTIONS, **_core.defaults()}
    # On the command line the working directory; a program has its own.
    values["app_dir"] = None
    values["log_config"] = LOGGING_CONFIG
    del values["python"]
    for name in given:
        if name not in values:
            raise TypeError(f"Config() got an unexpected keyword argument '{name}'")
    if given.get("ssl_context_factory") is not None:
        raise ConfigError("'ssl_context_factory' is not available: TLS is native code.")
    try:
        values.update(_core.surroundings())
    except ValueError as error:
        raise ConfigError(str(error), EXIT_USAGE) from None
    values.pop("python", None)
    given = {name: value for name, value in given.items() if _is_given(name, value)}
    values.update(given)
    if values["ws_ping_interval"] is None:
        values["ws_ping_interval"] = 0.0
    if values["ws_ping_timeout"] is None:
        values["ws_ping_timeout"] = 0.0
    values["reload_dirs"] = [
        Path(text) for text in _texts("", values["reload_dirs"]) or []
    ]
    config.__dict__.update(values)
    return given


def _is_given(name: str, value: Any) -> bool:
    """None says nothing, except where it says that something is not wanted."""
    may_be_none = ("log_config", "ws_ping_interval", "ws_ping_timeout")
    return value is not None or name in may_be_none


def _texts(name: str, value: Any) -> list[str] | None:
    """A value as the command line would have it; None: it is not there."""
    if value is None:
        return None
    if name == "headers":
        return [_header(line) for line in value]
    if name == "uds_mode" and isinstance(value, int):
        return [format(value, "o")]
    if name == "forwarded_allow_ips" and not isinstance(value, str):
        return [",".join(value)]
    if isinstance(value, (list, tuple, set)):
        return [_text(item) for item in value]
    if name == "loop" and not isinstance(value, str):
        return None
    if name in ("http", "ws") and str(value).startswith("uvicorn.protocols."):
        return ["auto"]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, type):
        engine: str | None = getattr(value, "smolcorn_engine", None)
        return engine or f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, float) and math.isinf(value):
        return _FOREVER
    return str(value)


def _header(line: str | Sequence[str | bytes]) -> str:
    if isinstance(line, str):
        return line
    name, value = line
    return f"{_text(name)}:{_text(value)}"


def _log_config(
    value: Any,
) -> str | Mapping[str, Any] | RawConfigParser | Literal[False]:
    """What `Settings` has for it."""
    if value is None or value is False:
        return False
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if hasattr(value, "read"):
        parser = ConfigParser()
        parser.read_file(value)
        return parser
    return cast("str | Mapping[str, Any] | RawConfigParser", value)


@contextlib.contextmanager
def _json_file(config: Any) -> Iterator[str | None]:
    """A file that says what a logging configuration says, for another process."""
    if config is False or config is LOGGING_CONFIG:
        yield None
        return
    try:
        text = json.dumps(config)
    except TypeError as error:
        raise ConfigError(
            f"'log_config' cannot be handed to another process: {error}. Use a file."
        ) from None
    descriptor, path = tempfile.mkstemp(prefix="smolcorn-log-", suffix=".json")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        yield path
    finally:
        os.unlink(path)


def _level_name(number: int) -> str:
    for name, value in LOG_LEVELS.items():
        if value == number:
            return name
    raise ConfigError(
        f"The log level {number} has no name, and other processes need one."
    )


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
