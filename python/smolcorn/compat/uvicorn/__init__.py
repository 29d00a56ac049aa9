"""What programs import from uvicorn, made of smolcorn's parts."""

from smolcorn.api import Config, run
from smolcorn.compat.uvicorn.main import main
from smolcorn.server import Server

__version__ = "0.54.0"
"""The version of uvicorn whose interface this is; programs compare it."""

__all__ = ["Config", "Server", "__version__", "main", "run"]
