"""`uvicorn.server`."""

from smolcorn.listeners import ServerState
from smolcorn.server import Server
from smolcorn.signals import STOP_SIGNALS as HANDLED_SIGNALS

__all__ = ["HANDLED_SIGNALS", "Server", "ServerState"]
