"""A native core without sockets: it counts what the test says, and remembers calls."""

from __future__ import annotations

import dataclasses
import os
import socket
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import smolcorn
from smolcorn.config import Settings

__version__ = "0.0.test"


@dataclass(frozen=True)
class NativeConfig:
    environment: dict[str, str] | None = None
    """The environment of the process when it was read late."""
    tls: Tls | ValueError | None = None
    """The certificates, or what is wrong with them."""

    workers: int | None = 1
    forwarded_allow_ips: str | None = None
    health_path: str | None = None
    dropped: tuple[str, ...] = ()

    def with_late_environment(self) -> NativeConfig:
        if Core.late_error is not None:
            raise Core.late_error
        return dataclasses.replace(self, environment=dict(os.environ))

    def load_tls(self) -> Tls | None:
        if isinstance(self.tls, ValueError):
            raise self.tls
        return self.tls


class Tls:
    """Certificates that change when the test says so."""

    def __init__(
        self, reload_interval: float | None, warning: str | None = None
    ) -> None:
        self.reload_interval = reload_interval
        self.warning = warning
        self.changed = False
        self.error: ValueError | None = None
        self.reloads = 0

    def has_changed(self) -> bool:
        return self.changed

    def reload(self) -> None:
        self.changed = False
        self.reloads += 1
        if self.error is not None:
            raise self.error


def settings(app: str = "", **options: Any) -> Settings:
    """What the command line makes of an application's name and nothing else, changed
    by `options`."""
    made: dict[str, Any] = {
        "native": NativeConfig(),
        "app": app,
        "app_dir": None,
        "factory": False,
        "interface": "auto",
        "lifespan": "auto",
        "env_files": (),
        "loop": "auto",
        "io_threads": None,
        "limit_max_requests": None,
        "limit_max_requests_jitter": 0,
        "timeout_graceful_shutdown": 30.0,
        "timeout_keep_alive": 5.0,
        "drain_delay": 0.0,
        "pid_file": None,
        "timeout_worker_healthcheck": 5.0,
        "log_config": None,
        "log_level": None,
        "access_log": True,
        "use_colors": None,
    }
    return Settings(**{**made, **options})


class Socket:
    def __init__(self, description: str) -> None:
        self.description = description
        self.closed = 0
        self._real = socket.socket()

    def fileno(self) -> int:
        return self._real.fileno()

    def close(self) -> None:
        self.closed += 1
        self._real.close()


class Engine:
    def __init__(
        self,
        settings: Settings,
        event_loop: Any,
        app: Any,
        state: dict[str, Any],
        on_idle: Callable[[], None],
        on_limit: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.loop = event_loop
        self.app = app
        self.state = state
        self.on_idle = on_idle
        self.on_limit = on_limit
        self.placement = "fused"
        self.listeners = 0
        self.connections = 0
        self.tasks = 0
        self.requests = 0
        self.calls: list[str] = []
        self.react: dict[str, Callable[[Engine], None]] = {}
        Core.engine = self
        Core.prepare(self)

    def admit(self) -> None:
        pass

    def running(self) -> list[Any]:
        return [None] * self.tasks

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if react := self.react.get(name):
            react(self)

    def start(self, sockets: list[Socket], hold: bool = False) -> None:
        self.listeners = len(sockets)
        self._called("start")

    def answer_signal(self) -> None:
        """SIGUSR1 is Python's no more; nothing here answers it."""

    def stop(self) -> None:
        self.listeners = 0
        self._called("stop")

    def retire(self) -> None:
        self.listeners = 0
        self._called("retire")

    def drain(self) -> None:
        self._called("drain")

    def disconnect_streams(self) -> None:
        self._called("disconnect_streams")

    def cancel_tasks(self, message: str) -> int:
        self._called(f"cancel_tasks {message}")
        return self.tasks

    def abort(self) -> None:
        self._called("abort")

    def close(self) -> None:
        self._called("close")

    def drained(self) -> None:
        """All connections and requests have ended."""
        self.listeners = self.connections = self.tasks = 0
        self.on_idle()


class Core:
    """What the test sets before, and looks at after."""

    engine: ClassVar[Engine | None]
    prepare: ClassVar[Callable[[Engine], None]]
    sockets: ClassVar[list[Socket]]
    bind_error: ClassVar[OSError | None]
    late_error: ClassVar[ValueError | None]
    main: ClassVar[Callable[[list[str]], int]]

    @classmethod
    def reset(cls) -> None:
        cls.engine = None
        cls.prepare = staticmethod(lambda _: None)
        cls.sockets = [Socket("http://127.0.0.1:8000")]
        cls.bind_error = cls.late_error = None
        cls.main = staticmethod(lambda _: 0)


Core.reset()


def bind(settings: Settings) -> list[Socket]:
    if Core.bind_error is not None:
        raise Core.bind_error
    return Core.sockets


def worker() -> None:
    """No supervisor has started this process."""


def adopt(settings: Settings, descriptors: list[int]) -> list[Socket]:
    if Core.bind_error is not None:
        raise Core.bind_error
    return [Socket(f"socket {number}") for number in descriptors]


def read_env_file(
    path: str, earlier: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[int]]:
    """Plain lines only."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"Error reading env file '{path}': {error}") from None
    found = dict(earlier)
    bad = [number for number, line in enumerate(lines, 1) if "=" not in line]
    found.update(line.split("=", 1) for line in lines if "=" in line)
    return list(found.items()), bad


def module() -> types.ModuleType:
    """The fake as a module named like the real one."""
    fake = types.ModuleType("smolcorn._core")
    fake.__dict__.update(
        __version__=__version__,
        NativeConfig=NativeConfig,
        Socket=Socket,
        Engine=Engine,
        bind=bind,
        worker=worker,
        template=worker,
        adopt=adopt,
        read_env_file=read_env_file,
        main=lambda argv, may_become_other=False: Core.main(argv),
    )
    return fake


def install() -> None:
    """Makes the fake the core of this process, for good."""
    fake = module()
    sys.modules["smolcorn._core"] = fake
    vars(smolcorn)["_core"] = fake
