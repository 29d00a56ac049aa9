"""What keeps the server from starting, with the exit status that follows from it."""

from __future__ import annotations

EXIT_OK = 0
"""Stopped as asked."""
EXIT_ERROR = 1
"""The configuration or the application's code is at fault."""
EXIT_USAGE = 2
"""The command line asks for something that does not exist."""
EXIT_STARTUP = 3
"""The application or the sockets could not be had."""


class StartupError(Exception):
    """The server cannot start; the message is one line for the user."""

    exit_code: int
    """Status that the process ends with."""

    def __init__(self, message: str, exit_code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code
