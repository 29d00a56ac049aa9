"""Asks a server once, and looks whether its answer is right: status, length, content."""

import http.client
import socket
import ssl
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .failure import Failure, Unsupported
from .loads import Load, WebSocket
from .servers import HOST

TIMEOUT_S = 30
HTTP_OK = 200
HTTP_SWITCHING = 101
#: RFC 6455, section 5.2.
TEXT, BINARY, PING = 1, 2, 9
FIN, COMPRESSED, MASKED = 0x80, 0x40, 0x80
#: The end of a flushed block, which messages do not carry (RFC 7692, section 7.2.1).
FLUSHED = b"\x00\x00\xff\xff"
MASK = b"\x5a\xc3\x96\x0f"
KEY = "c21vbGNvcm4gYmVuY2hlcw=="
#: As a client says it that can do everything.
DEFLATE_OFFER = "permessage-deflate; client_max_window_bits"


def check(load: Load, port: int) -> None:
    """Fails unless the server answers this load as it must."""
    if load.websocket:
        check_websocket(load.websocket, port)
    else:
        check_http(load, port)


def check_http(load: Load, port: int) -> None:
    with connect(load, port) as connection:
        request = raw_request(load, port)
        # The second request shows that the connection is kept.
        for _ in range(2):
            ask(connection, request, load)


def connect(load: Load, port: int) -> socket.socket:
    connection = socket.create_connection((HOST, port), TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not load.tls:
        return connection
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def raw_request(load: Load, port: int) -> bytes:
    """As wrk makes it. It goes out in one piece, so that servers read it the same way each time."""
    headers = {"host": f"{HOST}:{port}", **dict(load.headers)}
    if load.body:
        headers.setdefault("content-type", "application/octet-stream")
        headers["content-length"] = str(len(load.body))
    lines = [f"{load.method} {load.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + load.body


def ask(connection: socket.socket, request: bytes, load: Load) -> None:
    """One request, whose answer must be right."""
    connection.sendall(request)
    response = http.client.HTTPResponse(connection, method=load.method)
    try:
        response.begin()
        judge(load, response.status, response.read())
    except http.client.HTTPException as error:
        raise Failure(f"gave no proper answer: {error!r}") from None
    finally:
        response.close()


def judge(load: Load, status: int, body: bytes) -> None:
    expected = len(load.answer)
    if status != HTTP_OK or len(body) != expected:
        raise Failure(
            f"answered {status} with {len(body)} bytes, not 200 with {expected}"
        )
    if body != load.answer:
        raise Failure(f"answered {body[:40]!r}, not {load.answer[:40]!r}")


def message(talk: WebSocket) -> bytes:
    """What the clients say: text of the kind that applications exchange."""
    words = b'{"id": %d, "name": "tea", "price": 2.5, "tags": ["green", "loose"]}, '
    text = b"".join(words % number for number in range(talk.message_bytes // 64 + 1))
    return text[: talk.message_bytes]


def compress(data: bytes) -> bytes:
    """A message as permessage-deflate carries it; it refers to no earlier one."""
    deflate = zlib.compressobj(6, wbits=-15)
    packed = deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return packed.removesuffix(FLUSHED)


def payload(talk: WebSocket) -> bytes:
    """What a frame carries."""
    return compress(message(talk)) if talk.deflate else message(talk)


def check_websocket(talk: WebSocket, port: int) -> None:
    with socket.create_connection((HOST, port), TIMEOUT_S) as connection:
        reader = accepted(connection, talk, port)
        connection.sendall(frame(payload(talk), talk.deflate))
        first, data = reader.message()
        if first & COMPRESSED:
            data = zlib.decompressobj(wbits=-15).decompress(data + FLUSHED)
        if data != message(talk):
            raise Failure(
                f"echoed {len(data)} bytes, not the {talk.message_bytes} sent"
            )


@contextmanager
def exchanges(load: Load, port: int) -> Iterator[Callable[[], None]]:
    """One connection. Each call of what this gives is a request and its answer on it, or a
    message there and back."""
    if talk := load.websocket:
        with socket.create_connection((HOST, port), TIMEOUT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = accepted(connection, talk, port)
            sent = frame(payload(talk), talk.deflate)

            def say() -> None:
                connection.sendall(sent)
                reader.message()

            yield say
        return
    with connect(load, port) as connection:
        request = raw_request(load, port)
        yield lambda: ask(connection, request, load)


def accepted(connection: socket.socket, talk: WebSocket, port: int) -> "Reader":
    """Opens a WebSocket; gives what reads from it."""
    head, rest = upgrade(connection, port, talk.deflate)
    status = int(head.split(b" ", 2)[1])
    if status != HTTP_SWITCHING:
        raise Unsupported(f"takes no WebSocket: answered {status}")
    if talk.deflate and b"permessage-deflate" not in head.lower():
        raise Unsupported("does not negotiate permessage-deflate")
    return Reader(connection, rest)


def upgrade(connection: socket.socket, port: int, deflate: bool) -> tuple[bytes, bytes]:
    """Asks for a WebSocket; returns the answer's head, and what came behind it."""
    extension = f"Sec-WebSocket-Extensions: {DEFLATE_OFFER}\r\n" if deflate else ""
    connection.sendall(
        f"GET / HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
        f"{extension}\r\n".encode()
    )
    read = b""
    while b"\r\n\r\n" not in read:
        if not (more := connection.recv(4096)):
            raise Unsupported("takes no WebSocket: closed the connection")
        read += more
    head, _, rest = read.partition(b"\r\n\r\n")
    return head, rest


def frame(data: bytes, compressed: bool) -> bytes:
    """One masked text frame."""
    size = len(data)
    head = bytes([FIN | (COMPRESSED if compressed else 0) | TEXT])
    if size < 126:
        head += bytes([MASKED | size])
    elif size < 1 << 16:
        head += bytes([MASKED | 126]) + struct.pack("!H", size)
    else:
        head += bytes([MASKED | 127]) + struct.pack("!Q", size)
    key = (MASK * (size // 4 + 1))[:size]
    masked = int.from_bytes(data, "big") ^ int.from_bytes(key, "big")
    return head + MASK + masked.to_bytes(size, "big")


class Reader:
    """Takes messages out of a server's bytes."""

    def __init__(self, connection: socket.socket, rest: bytes) -> None:
        self._connection = connection
        self._rest = rest

    def message(self) -> tuple[int, bytes]:
        """The first byte of the message's first frame, and its payload."""
        first, data = 0, b""
        while True:
            head = self.take(2)
            size = head[1] & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self.take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.take(8))
            part = self.take(size)
            opcode = head[0] & 0x0F
            if opcode == PING:
                continue
            if opcode not in (0, TEXT, BINARY):
                raise Failure(f"sent a WebSocket frame of kind {opcode}: {part[:80]!r}")
            first = first or head[0]
            data += part
            if head[0] & FIN:
                return first, data

    def take(self, size: int) -> bytes:
        parts = [self._rest]
        missing = size - len(self._rest)
        while missing > 0:
            if not (part := self._connection.recv(min(missing, 1 << 16))):
                raise Failure("closed the WebSocket")
            parts.append(part)
            missing -= len(part)
        joined = b"".join(parts)
        self._rest = joined[size:]
        return joined[:size]
