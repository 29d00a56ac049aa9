"""How long a test waits for something that must happen. Generous: it only ends hopeless waits."""

import time

DEADLINE_SECONDS = 20.0


class Deadline:
    """A point in time after which waiting is given up."""

    def __init__(self, seconds: float = DEADLINE_SECONDS) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; zero once it has passed."""
        return max(0.0, self._end - time.monotonic())
