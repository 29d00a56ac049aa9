"""A WSGI application that answers with files of many kinds, one for each path."""

import bz2
import gzip
import io
import lzma
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONTENT = b"a line of text\n" * 20_000
PLACE = Path(os.environ["TEST_FOLDER"])
OPENERS: dict[str, Callable[[Path], Any]] = {}
UNCLOSED: list[Any] = []


def opener(function: Callable[[Path], Any]) -> Callable[[Path], Any]:
    OPENERS[function.__name__] = function
    return function


def app(environ: dict[str, Any], start_response: Any) -> Any:
    name = environ["PATH_INFO"][1:]
    path = PLACE / name
    path.write_bytes(CONTENT)
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](OPENERS[name](path), 1000)


def moved(file: Any) -> Any:
    file.seek(10)
    return file


class ShoutingRaw(io.FileIO):
    def read(self, size: Any = -1, /) -> bytes:
        return (super().read(size) or b"").upper()

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class ShoutingReader(io.BufferedReader):
    def read(self, size: Any = -1, /) -> bytes:
        return super().read(size).upper()


class Range:
    """Some bytes of a file, which is where they begin."""

    def __init__(self, file: Any, length: int) -> None:
        self.file, self.length, self.at = file, length, 0
        self.fileno, self.close = file.fileno, file.close

    def tell(self) -> int:
        return self.at

    def read(self, size: int) -> bytes:
        data: bytes = self.file.read(min(size, self.length - self.at))
        self.at += len(data)
        return data


# --- What the system's file has -----------------------------------------------------------------


@opener
def reader(path: Path) -> Any:
    return path.open("rb")


@opener
def raw(path: Path) -> Any:
    return path.open("rb", buffering=0)


@opener
def random(path: Path) -> Any:
    return path.open("r+b")


@opener
def temporary(path: Path) -> Any:
    file = tempfile.NamedTemporaryFile(dir=PLACE)  # noqa: SIM115
    file.write(CONTENT)
    file.seek(0)
    return file


@opener
def nameless(path: Path) -> Any:
    file = tempfile.TemporaryFile(dir=PLACE)  # noqa: SIM115
    file.write(CONTENT)
    file.seek(0)
    return file


@opener
def reader_that_is_back(path: Path) -> Any:
    file = path.open("rb")
    file.read(100)
    file.seek(0)
    return file


@opener
def random_with_unwritten(path: Path) -> Any:
    """What was written stays in the file's buffer, and the file is at its beginning."""
    file: Any = path.open("r+b")
    file.read(100)
    file.seek(0)
    file.write(b"A LINE")
    file.seek(0)
    # The end of a file writes, too.
    file.close = lambda: UNCLOSED.append(file)
    return file


# --- What it has not ----------------------------------------------------------------------------


@opener
def gz(path: Path) -> Any:
    path.write_bytes(gzip.compress(CONTENT))
    return gzip.open(path, "rb")


@opener
def bz(path: Path) -> Any:
    path.write_bytes(bz2.compress(CONTENT))
    return bz2.open(path, "rb")


@opener
def xz(path: Path) -> Any:
    path.write_bytes(lzma.compress(CONTENT))
    return lzma.open(path, "rb")


@opener
def reader_of_gz(path: Path) -> Any:
    return io.BufferedReader(gz(path))


@opener
def raw_subclass(path: Path) -> Any:
    return ShoutingRaw(path)


@opener
def reader_of_subclass(path: Path) -> Any:
    return io.BufferedReader(ShoutingRaw(path))


@opener
def reader_subclass(path: Path) -> Any:
    return ShoutingReader(io.FileIO(path))


@opener
def reader_with_a_read_of_its_own(path: Path) -> Any:
    file: Any = path.open("rb")
    read = file.read
    file.read = lambda size: read(size).upper()
    return file


@opener
def temporary_with_a_read_of_its_own(path: Path) -> Any:
    file: Any = temporary(path)
    read = file.read
    file.read = lambda size: read(size).upper()
    return file


@opener
def temporary_that_is_back(path: Path) -> Any:
    file = temporary(path)
    file.read(100)
    file.seek(0)
    return file


@opener
def spooled(path: Path) -> Any:
    file = tempfile.SpooledTemporaryFile(max_size=100, dir=str(PLACE))  # noqa: SIM115
    file.write(CONTENT)
    file.seek(0)
    return file


@opener
def memory(path: Path) -> Any:
    return io.BytesIO(CONTENT)


@opener
def part(path: Path) -> Any:
    return Range(moved(path.open("rb")), 5000)


# --- Files that are not at their beginning --------------------------------------------------------


@opener
def moved_reader(path: Path) -> Any:
    return moved(reader(path))


@opener
def moved_raw(path: Path) -> Any:
    return moved(raw(path))


@opener
def moved_random(path: Path) -> Any:
    return moved(random(path))


@opener
def moved_temporary(path: Path) -> Any:
    return moved(temporary(path))


@opener
def moved_gz(path: Path) -> Any:
    return moved(gz(path))


# --- Files that cannot be sent --------------------------------------------------------------------


@opener
def text(path: Path) -> Any:
    return path.open()


@opener
def temporary_text(path: Path) -> Any:
    file = tempfile.NamedTemporaryFile("w+", dir=PLACE)  # noqa: SIM115
    file.write(CONTENT.decode())
    file.seek(0)
    return file


@opener
def write_only(path: Path) -> Any:
    return io.FileIO(os.open(path, os.O_WRONLY), "w")


@opener
def closed(path: Path) -> Any:
    file = path.open("rb")
    file.close()
    return file
