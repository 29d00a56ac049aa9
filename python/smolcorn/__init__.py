"""An ASGI server: drop-in for uvicorn, with the hot path in native code.

`run`, `Config` and `Server` are what programs use; `main` is the command line.

This package is the thin layer around the native module `smolcorn._core`: what happens
once in the life of a server (settings, logging, loading the application, lifespan,
signals) is here; what happens once in a request is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolcorn.api import Config as Config
    from smolcorn.api import run as run
    from smolcorn.cli import main as main
    from smolcorn.server import Server as Server

__all__ = ["Config", "Server", "__version__", "main", "run"]

__version__: str

_HOMES = {"Config": "api", "run": "api", "Server": "server", "main": "cli"}
"""Where the names come from. They are looked up when somebody asks: the command line
and the formatters need less."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Only the version needs the native module, so the package imports without it.
        from smolcorn import _core

        return _core.__version__
    if name in _HOMES:
        import importlib

        value = getattr(importlib.import_module(f"smolcorn.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
