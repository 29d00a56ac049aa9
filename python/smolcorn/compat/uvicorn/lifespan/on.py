"""`uvicorn.lifespan.on`."""

from smolcorn.lifespan import Lifespan as LifespanOn

__all__ = ["LifespanOn"]
