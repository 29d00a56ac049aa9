"""WebSocket frames, made and read here by hand: a client that sends exactly what it is told to."""

import base64
import hashlib
import os
import struct
from dataclasses import dataclass

from harness.server import Server
from harness.wire import Wire, parse_headers

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What the RFC says belongs to KEY."""
MASK = b"\x37\xfa\x21\x3d"


@dataclass(frozen=True)
class Frame:
    """A frame of the server's."""

    opcode: int
    payload: bytes
    final: bool = True
    compressed: bool = False


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    mask: bytes | None = MASK,
    length: int | None = None,
) -> bytes:
    """A frame of the client's. `length` announces another length than there is."""
    size = len(payload) if length is None else length
    masked = 0x80 if mask is not None else 0
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    if size < 126:
        head += bytes([masked | size])
    elif size < 65536:
        head += bytes([masked | 126]) + struct.pack("!H", size)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", size)
    if mask is None:
        return head + payload
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + mask + mixed.to_bytes(len(payload), "big")


def text(payload: str) -> bytes:
    """A whole text message."""
    return frame(TEXT, payload.encode())


def close(code: int | None = None, reason: str = "") -> bytes:
    """A close frame."""
    payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
    return frame(CLOSE, payload)


def closing(code: int | None = None, reason: str = "") -> Frame:
    """The server's close frame, as it is read."""
    payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
    return Frame(CLOSE, payload)


def handshake(
    path: str = "/",
    *lines: bytes,
    method: bytes = b"GET",
    key: bytes | None = KEY,
    version: bytes | None = b"13",
    upgrade: bytes = b"websocket",
) -> bytes:
    """A request for a WebSocket; `lines` are more header lines, without their ends."""
    head = [
        method + b" " + path.encode() + b" HTTP/1.1",
        b"Host: x",
        b"Connection: Upgrade",
        b"Upgrade: " + upgrade,
    ]
    if key is not None:
        head.append(b"Sec-WebSocket-Key: " + key)
    if version is not None:
        head.append(b"Sec-WebSocket-Version: " + version)
    return b"\r\n".join([*head, *lines, b"", b""])


def accept_of(key: bytes) -> bytes:
    """What a server must answer to `key` (RFC 6455, section 1.3)."""
    guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(key + guid).digest())


class Socket:
    """A WebSocket on a connection, from its handshake on."""

    def __init__(self, wire: Wire, answer: bytes) -> None:
        self.wire = wire
        self.answer = answer
        """The response to the handshake, up to its empty line."""

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the response to the handshake."""
        return parse_headers(self.answer.split(b"\r\n", 1)[1][:-2])

    def send(self, data: bytes) -> "Socket":
        """Sends bytes as they are."""
        self.wire.send(data)
        return self

    def say(self, message: str) -> "Socket":
        """Sends a text message."""
        return self.send(text(message))

    def read(self) -> Frame:
        """The next frame."""
        first, second = self.wire.body_piece(2)
        assert not second & 0x80, "servers do not mask"
        assert not first & 0x30, "reserved bits"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.wire.body_piece(2))
            assert size > 125, "the shortest form of a length is due"
        elif size == 127:
            (size,) = struct.unpack("!Q", self.wire.body_piece(8))
            assert size > 65535, "the shortest form of a length is due"
        payload = self.wire.body_piece(size)
        return Frame(first & 15, payload, bool(first & 0x80), bool(first & 0x40))

    def text(self) -> str:
        """The next frame, which must be a whole text."""
        found = self.read()
        assert (found.opcode, found.final) == (TEXT, True), found
        return found.payload.decode()

    def ask(self, message: str) -> str:
        """Sends a text, and reads one."""
        return self.say(message).text()

    def expect_end(self, code: int | None, reason: str = "") -> None:
        """The server closes with this code, and then the connection."""
        assert self.read() == closing(code, reason)
        self.wire.expect_end()


def connect(
    server: Server, path: str = "/", *lines: bytes, behind: bytes = b""
) -> Socket:
    """Opens a WebSocket. `behind` goes out with the handshake."""
    return shake_hands(server.connect(), path, *lines, behind=behind)


def shake_hands(wire: Wire, path: str, *lines: bytes, behind: bytes = b"") -> Socket:
    """Makes a WebSocket of a connection."""
    key = base64.b64encode(os.urandom(16))
    wire.send(handshake(path, *lines, key=key) + behind)
    answer = wire.until(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), answer
    socket = Socket(wire, answer)
    assert (b"Sec-WebSocket-Accept", accept_of(key)) in socket.headers
    return socket
