"""Classes that stand for uvicorn's engines where programs name one."""

from __future__ import annotations

from typing import Any


class ProtocolName:
    """A name. `Config(http=...)` takes it for the built-in engine.

    A subclass would change what an engine does, and here nothing would come of it: it
    is refused when it is made.
    """

    smolcorn_engine = "auto"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not cls.__module__.startswith("smolcorn.compat."):
            raise TypeError(
                f"{cls.__name__}: smolcorn's protocols are native code and cannot be "
                "subclassed."
            )
