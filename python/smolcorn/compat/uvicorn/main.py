"""`uvicorn.main`: a module, and in the package of that name a function."""

from smolcorn.api import Config, run
from smolcorn.cli import main
from smolcorn.config import LOG_LEVELS, LOGGING_CONFIG
from smolcorn.errors import EXIT_STARTUP as STARTUP_FAILURE
from smolcorn.server import Server

__all__ = [
    "LOGGING_CONFIG",
    "LOG_LEVELS",
    "STARTUP_FAILURE",
    "Config",
    "Server",
    "main",
    "run",
]

if __name__ == "__main__":
    main()
