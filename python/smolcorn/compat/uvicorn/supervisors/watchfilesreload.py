"""`uvicorn.supervisors.watchfilesreload`."""

from smolcorn.compat.uvicorn.supervisors import WatchFilesReload

__all__ = ["WatchFilesReload"]
