"""`uvicorn.supervisors.multiprocess`."""

from smolcorn.compat.uvicorn.supervisors import Multiprocess

__all__ = ["Multiprocess"]
