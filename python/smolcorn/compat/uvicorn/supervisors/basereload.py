"""`uvicorn.supervisors.basereload`."""

from smolcorn.compat.uvicorn.supervisors import BaseReload

__all__ = ["BaseReload"]
