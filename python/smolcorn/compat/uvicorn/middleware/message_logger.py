"""`uvicorn.middleware.message_logger`."""

from smolcorn.trace import MessageLoggerMiddleware

__all__ = ["MessageLoggerMiddleware"]
