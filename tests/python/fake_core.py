"""A native core without sockets: it counts what the test says, and remembers calls."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any, ClassVar

__version__ = "0.0.test"


class Socket:
    def __init__(self, description: str) -> None:
        self.description = description
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Engine:
    def __init__(
        self,
        settings: Any,
        loop: Any,
        app: Any,
        direct: bool,
        state: dict[str, Any],
        on_idle: Callable[[], None],
        on_limit: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.loop = loop
        self.app = app
        self.direct = direct
        self.state = state
        self.on_idle = on_idle
        self.on_limit = on_limit
        self.placement = "fused"
        self.connections = 0
        self.tasks = 0
        self.requests = 0
        self.calls: list[str] = []
        self.react: dict[str, Callable[[Engine], None]] = {}
        Core.engine = self
        Core.prepare(self)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.react.get(name, lambda _: None)(self)

    def start(self, sockets: list[Socket]) -> None:
        self._called("start")

    def stop(self) -> None:
        self._called("stop")

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
        self.connections = self.tasks = 0
        self.on_idle()


class Core:
    """What the test sets before, and looks at after."""

    engine: ClassVar[Engine | None]
    prepare: ClassVar[Callable[[Engine], None]]
    sockets: ClassVar[list[Socket]]
    bind_error: ClassVar[OSError | None]
    main: ClassVar[Callable[[list[str]], int]]

    @classmethod
    def reset(cls) -> None:
        cls.engine = None
        cls.prepare = staticmethod(lambda _: None)
        cls.sockets = [Socket("http://127.0.0.1:8000")]
        cls.bind_error = None
        cls.main = staticmethod(lambda _: 0)


Core.reset()


def bind(settings: Any) -> list[Socket]:
    if Core.bind_error is not None:
        raise Core.bind_error
    return Core.sockets


def module() -> types.ModuleType:
    """The fake as a module named like the real one."""
    fake = types.ModuleType("smolcorn._core")
    fake.__dict__.update(
        __version__=__version__,
        Socket=Socket,
        Engine=Engine,
        bind=bind,
        main=lambda argv: Core.main(argv),
    )
    return fake


def install() -> None:
    """Makes the fake the core of this process, for good."""
    import smolcorn

    fake = module()
    sys.modules["smolcorn._core"] = fake
    smolcorn._core = fake
