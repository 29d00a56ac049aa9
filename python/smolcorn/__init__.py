"""An ASGI server: drop-in for uvicorn, with the hot path in native code.

This package is the thin layer around the native module `smolcorn._core`: what happens
once in the life of a server (settings, logging, loading the application, lifespan,
signals) is here; what happens once in a request is there.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__: str


def __getattr__(name: str) -> str:
    # Only the version needs the native module, so the package imports without it.
    if name == "__version__":
        from smolcorn import _core

        return _core.__version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
