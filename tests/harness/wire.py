"""A client that knows nothing: it sends the bytes it is told to, and reads answers strictly."""

import re
import select
import socket
import ssl
import struct
from dataclasses import dataclass, field

from harness.deadline import DEADLINE_SECONDS, Deadline

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ([^\r\n]*)\r\n")
DATE = re.compile(
    rb"date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n"
)


@dataclass
class Response:
    """One answer, taken apart, with all its bytes as they came."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    framing: str
    """How its end was found: "length", "chunked", "close" or "none" (there can be no body)."""
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    raw: bytes = b""

    def all(self, name: bytes) -> list[bytes]:
        """The values of all headers with this name."""
        return [value for key, value in self.headers if key.lower() == name]

    def get(self, name: bytes) -> bytes | None:
        """The value of the header with this name; None without one. It must not be there twice."""
        values = self.all(name)
        assert len(values) < 2, f"{name!r} is there {len(values)} times: {values}"
        return values[0] if values else None


class Wire:
    """One connection to the server."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = bytearray()
        self._ended = False
        self.was_reset = False

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def local_port(self) -> int:
        """Our port, as the server sees it."""
        port = self.socket.getsockname()[1]
        assert isinstance(port, int)
        return port

    def send(self, data: bytes) -> "Wire":
        """Sends bytes as they are."""
        self.socket.settimeout(DEADLINE_SECONDS)
        self.socket.sendall(data)
        return self

    def send_slowly(
        self, piece: bytes, pause_seconds: float, seconds: float = DEADLINE_SECONDS
    ) -> bytes:
        """Sends `piece` again and again with pauses until an answer comes; returns all up to the end."""
        deadline = Deadline(seconds)
        while not select.select([self.socket], [], [], pause_seconds)[0]:
            assert deadline.left(), "the server takes everything and never answers"
            try:
                self.send(piece)
            except ConnectionError:
                break
        return self.rest()

    def half_close(self) -> "Wire":
        """Says that nothing more will be sent; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """Breaks the connection off: the peer gets a reset."""
        self.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.close()

    def close(self) -> None:
        """Closes our end."""
        self.socket.close()

    def response(
        self, *, head_only: bool = False, seconds: float = DEADLINE_SECONDS
    ) -> Response:
        """Reads one answer, interim ones included. `head_only`: it answers a HEAD request."""
        deadline = Deadline(seconds)
        first = self._take_until(b"\r\n\r\n", deadline)
        line = STATUS_LINE.match(first)
        assert line, f"not a status line: {first!r}"
        status = int(line[1])
        headers = parse_headers(first[line.end() : -2])
        response = Response(status, bytes(line[2]), headers, "none", raw=first)
        if not head_only and status >= 200 and status not in (204, 304):
            self._read_body(response, deadline)
        return response

    def _read_body(self, response: Response, deadline: Deadline) -> None:
        encoding, length = (
            response.get(b"transfer-encoding"),
            response.get(b"content-length"),
        )
        if encoding is not None:
            assert encoding.lower() == b"chunked" and length is None, response.raw
            response.framing = "chunked"
            self._read_chunks(response, deadline)
        elif length is not None:
            response.framing = "length"
            response.body = self._take(int(length), deadline)
            response.raw += response.body
        else:
            response.framing = "close"
            response.body = self.rest(deadline.left())
            response.raw += response.body

    def _read_chunks(self, response: Response, deadline: Deadline) -> None:
        while True:
            line = self._take_until(b"\r\n", deadline)
            size = int(line[:-2], 16)
            response.raw += line
            if size == 0:
                break
            chunk = self._take(size + 2, deadline)
            assert chunk.endswith(b"\r\n"), f"a chunk ends with {chunk[-2:]!r}"
            response.raw += chunk
            response.chunks.append(chunk[:-2])
        response.body = b"".join(response.chunks)
        while (line := self._take_until(b"\r\n", deadline)) != b"\r\n":
            response.raw += line
            response.trailers += parse_headers(line)
        response.raw += line

    def body_piece(self, size: int) -> bytes:
        """Reads exactly `size` bytes, whatever they are."""
        return self._take(size, Deadline())

    def take_buffered(self) -> bytes:
        """What was read from the socket and not yet asked for."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def until(self, mark: bytes) -> bytes:
        """Reads up to and with `mark`."""
        return self._take_until(mark, Deadline())

    def rest(self, seconds: float = DEADLINE_SECONDS) -> bytes:
        """Reads until the server closes, and returns all bytes that came. A reset counts as an end."""
        deadline = Deadline(seconds)
        while not self._ended:
            self._fill(deadline, "the server's closing")
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def expect_end(self, seconds: float = DEADLINE_SECONDS) -> None:
        """Fails unless the server closes without another byte."""
        data = self.rest(seconds)
        assert data == b"", f"bytes before the end: {data!r}"

    def _take(self, size: int, deadline: Deadline) -> bytes:
        while len(self._buffer) < size:
            assert not self._ended, (
                f"end after {len(self._buffer)} of {size} bytes: {bytes(self._buffer[:2000])!r}"
            )
            self._fill(deadline, f"{size} bytes")
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _take_until(self, mark: bytes, deadline: Deadline) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            assert not self._ended, (
                f"end without {mark!r}: {bytes(self._buffer[:2000])!r}"
            )
            self._fill(deadline, f"{mark!r}")
        return self._take(at + len(mark), deadline)

    def _fill(self, deadline: Deadline, awaited: str) -> None:
        self.socket.settimeout(max(deadline.left(), 0.001))
        try:
            piece = self.socket.recv(262144)
        except TimeoutError:
            raise AssertionError(
                f"no {awaited} in time; so far {bytes(self._buffer[:2000])!r}"
            ) from None
        except ConnectionError:
            self.was_reset = True
            piece = b""
        self._buffer += piece
        self._ended = not piece


class TlsWire(Wire):
    """One TLS connection to the server."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        super().__init__(connection)
        self.tls = connection
        self.was_truncated = False
        """The server's end came without a `close_notify`."""

    def _fill(self, deadline: Deadline, awaited: str) -> None:
        try:
            super()._fill(deadline, awaited)
        except ssl.SSLEOFError:
            self.was_truncated = True
            self._ended = True


def parse_headers(lines: bytes) -> list[tuple[bytes, bytes]]:
    """Takes `name: value` lines apart; refuses what a server must not write."""
    headers = []
    for line in lines.split(b"\r\n")[:-1]:
        name, colon, value = line.partition(b":")
        assert colon and name and not re.search(rb"[\x00-\x20\x7f]", name), (
            f"bad header line {line!r}"
        )
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value), (
            f"bad header line {line!r}"
        )
        headers.append((name, value[1:] if value.startswith(b" ") else value))
    return headers


def without_date(raw: bytes) -> bytes:
    """`raw` without its `date` headers, of which each must be well formed."""
    return DATE.sub(b"", raw)
