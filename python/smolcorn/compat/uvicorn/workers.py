"""`uvicorn.workers`: worker classes for gunicorn."""

from smolcorn.workers import SmolcornWorker


class UvicornWorker(SmolcornWorker):
    """By the name that deployments have written down."""


class UvicornH11Worker(SmolcornWorker):
    """The same: there is one engine."""


__all__ = ["UvicornH11Worker", "UvicornWorker"]
