"""`uvicorn.lifespan.off`."""

from typing import Any


class LifespanOff:
    """Tells an application nothing."""

    def __init__(self, config: Any) -> None:
        self.should_exit = False
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Does nothing."""

    async def shutdown(self) -> None:
        """Does nothing."""


__all__ = ["LifespanOff"]
