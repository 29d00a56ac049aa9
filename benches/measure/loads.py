"""The loads: which application is asked for what, by how many connections."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """One row of the report. Sizes are in bytes."""

    name: str
    title: str
    #: Module and attribute below benches/apps/.
    app: str
    #: The size of the answer, by which the server is checked before it is measured.
    answer_bytes: int
    connections: int = 64
    method: str = "GET"
    #: Of the request.
    body_bytes: int = 0
    access_log: bool = False
    #: Whether QUICK=1 measures it.
    quick: bool = False


LOADS = (
    Load("10b", "10-byte answer", "plain:answer_10b", 10, quick=True),
    Load("10kb", "10 KB answer", "plain:answer_10kb", 10 * 1024, quick=True),
    Load(
        "post-1kb",
        "POST of 1 KB",
        "plain:read_body",
        10,
        method="POST",
        body_bytes=1024,
    ),
    Load("fastapi", "FastAPI, JSON", "fastapi_json:app", 72, quick=True),
    Load("10b-c1", "10-byte answer", "plain:answer_10b", 10, connections=1, quick=True),
    Load("10b-c8", "10-byte answer", "plain:answer_10b", 10, connections=8),
    Load(
        "10b-log",
        "10-byte answer, access log on",
        "plain:answer_10b",
        10,
        access_log=True,
    ),
)
