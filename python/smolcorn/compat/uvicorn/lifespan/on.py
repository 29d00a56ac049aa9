"""`uvicorn.lifespan.on`."""

from smolcorn.lifespan import LifespanOn

__all__ = ["LifespanOn"]
