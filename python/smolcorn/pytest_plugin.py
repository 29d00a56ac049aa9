"""The fixture `smolcorn_server`, for tests of applications. pytest finds it by itself
where smolcorn is installed.

    def test_hello(smolcorn_server):
        served = smolcorn_server(app)
        assert httpx.get(served.url).text == "hello"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from smolcorn.api import App
    from smolcorn.options import Options
    from smolcorn.testing import Served


class ServerFactory(Protocol):
    """Serves an application until the end of the test; see `smolcorn.testing`."""

    def __call__(self, app: App, **options: Unpack[Options]) -> Served: ...


@pytest.fixture
def smolcorn_server() -> Iterator[ServerFactory]:
    """Serves applications, each on a free port, until the end of the test."""
    # Not before somebody asks: pytest loads this file for every test run.
    from smolcorn import testing

    running: list[Served] = []

    def start(app: App, **options: Unpack[Options]) -> Served:
        served = testing.make(app, **options)
        served.start()
        running.append(served)
        return served

    yield start
    for served in reversed(running):
        served.stop()
