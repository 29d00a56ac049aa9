"""`uvicorn.middleware.asgi2`."""

from smolcorn.interfaces import ASGI2Adapter as ASGI2Middleware

__all__ = ["ASGI2Middleware"]
