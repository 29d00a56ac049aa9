"""An ASGI server: drop-in for uvicorn, with the hot path in native code.

This package is the thin layer around the native module `smolcorn._core`: what happens
once in the life of a server (settings, logging, loading the application, lifespan,
signals) is here; what happens once in a request is there.
"""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "run"]

__version__: str


def run(app: str, **options: Any) -> None:
    """Serves the application named by the import string `app` until it is told to stop.

    Options are the fields of `smolcorn.config.Settings`. Returns after Ctrl-C; raises
    SystemExit if the server could not start.
    """
    import sys

    from smolcorn.config import Settings
    from smolcorn.server import run as serve

    if status := serve(Settings(app=app, **options)):
        sys.exit(status)


def __getattr__(name: str) -> str:
    # Only the version needs the native module, so the package imports without it.
    if name == "__version__":
        from smolcorn import _core

        return _core.__version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
