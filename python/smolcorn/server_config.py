"""What a server goes by: `ServerConfig`.

`Config` in api.py, which programs make and change, is one. That of a command line is
another: it is settled, and a process that only serves needs nothing of what there is
for programs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smolcorn import interfaces, loops
from smolcorn.config import configure_logging
from smolcorn.lifespan import Lifespan, LifespanOff, LifespanOn

if TYPE_CHECKING:
    from smolcorn._core import Tls
    from smolcorn.config import LifespanMode, Settings


class ServerConfig:
    """What is to be served, and how."""

    loop: str | loops.LoopFactory
    lifespan: LifespanMode
    callback_notify: Callable[..., Any] | None = None
    """Awaited every so often while the server runs."""
    timeout_notify: float = 30
    """Seconds between two calls of `callback_notify`."""

    if TYPE_CHECKING:
        # Programs look at the server's configuration, which is a `Config` then.
        def __getattr__(self, name: str) -> Any: ...

    def __init__(self) -> None:
        self.loaded = False
        """Whether `load()` has found the application."""
        self.loaded_app: Any = None
        """The application as the server calls it. May be replaced until it starts."""
        self.tls: Tls | None = None
        """The certificates that a server shows, once one has started."""
        self._interface: interfaces.Interface = "asgi3"

    def settings(self) -> Settings:
        """What the core and the life of the server go by. Raises ConfigError."""
        raise NotImplementedError

    def configure_logging(self) -> None:
        """Sets Python's logging up. Raises ConfigError."""
        raise NotImplementedError

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
    def lifespan_class(self) -> Callable[[ServerConfig], Lifespan]:
        """What tells the application of start-up and shutdown."""
        is_off = self.lifespan == "off"
        return LifespanOff if is_off else LifespanOn

    @property
    def is_ssl(self) -> bool:
        """Whether connections are encrypted, as far as programs may ask."""
        return False

    @property
    def application(self) -> interfaces.Application:
        """What `load()` has found."""
        return interfaces.prepared(self.loaded_app, self._interface)

    def get_loop_factory(self) -> loops.LoopFactory:
        """Returns what makes the event loop. Raises ConfigError."""
        return loops.loop_factory(self.loop)


class SettledConfig(ServerConfig):
    """The configuration of a command line."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self.loop = settings.loop
        self.lifespan = settings.lifespan

    def settings(self) -> Settings:
        return self._settings

    def configure_logging(self) -> None:
        configure_logging(self._settings)
