"""`uvicorn.supervisors.statreload`."""

from smolcorn.compat.uvicorn.supervisors import StatReload

__all__ = ["StatReload"]
