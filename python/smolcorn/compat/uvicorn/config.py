"""`uvicorn.config`."""

from typing import Literal

from smolcorn.api import Config
from smolcorn.config import LOG_LEVELS, LOGGING_CONFIG
from smolcorn.logging import TRACE_LOG_LEVEL

HTTPProtocolType = Literal["auto", "h11", "httptools", "zttp"]
WSProtocolType = Literal["auto", "none", "websockets", "websockets-sansio", "wsproto"]
LifespanType = Literal["auto", "on", "off"]
LoopFactoryType = Literal["none", "auto", "asyncio", "uvloop"]
LoopSetupType = LoopFactoryType
InterfaceType = Literal["auto", "asgi3", "asgi2", "wsgi"]

SSL_PROTOCOL_VERSION = 17
"""`ssl.PROTOCOL_TLS_SERVER`, without the module."""

__all__ = [
    "LOGGING_CONFIG",
    "LOG_LEVELS",
    "SSL_PROTOCOL_VERSION",
    "TRACE_LOG_LEVEL",
    "Config",
    "HTTPProtocolType",
    "InterfaceType",
    "LifespanType",
    "LoopFactoryType",
    "LoopSetupType",
    "WSProtocolType",
]
