"""`uvicorn.lifespan.off`."""

from smolcorn.lifespan import LifespanOff

__all__ = ["LifespanOff"]
