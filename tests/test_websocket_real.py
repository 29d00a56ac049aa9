"""WebSockets between clients of other makes and frameworks that applications are made with."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import pytest
import socketio
import websockets
from httpx_ws import aconnect_ws
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
)
from wsproto import ConnectionType, WSConnection, events
from wsproto.extensions import PerMessageDeflate

from conftest import Placement, Pool, Start
from harness.server import Server

ECHO = "apps.sockets:app"
FRAMEWORKS = "apps.sockets_frameworks:app"
CHANNELS = "apps.channels_app:app"


@pytest.fixture
def server(pool: Pool, placement: Placement) -> Server:
    return pool.get(ECHO, *placement.options)


@pytest.fixture
def frameworks(pool: Pool, placement: Placement) -> Server:
    return pool.get(FRAMEWORKS, *placement.options)


@pytest.fixture
def channels(pool: Pool, placement: Placement) -> Server:
    return pool.get(CHANNELS, *placement.options)


def url(server: Server, path: str) -> str:
    return server.url(path).replace("http://", "ws://")


def connect(server: Server, path: str, **options: Any) -> Any:
    return websockets.connect(url(server, path), proxy=None, max_size=None, **options)


def run(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


# --- websockets -------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["deflate", None])
def test_websockets(server: Server, compression: str | None) -> None:
    async def talk() -> None:
        async with connect(server, "/echo", compression=compression) as socket:
            for message in ("hi", b"bytes", "", "grüße " * 50_000, b"x" * 3_000_000):
                await socket.send(message)
                assert await socket.recv() == message
            await socket.send([f"piece {number} " for number in range(100)])
            assert (await socket.recv()).startswith("piece 0 piece 1 ")
            await (await socket.ping(b"are you there"))
            texts = [json.dumps({"n": n, "pad": "y" * (n % 300)}) for n in range(2000)]

            async def send() -> None:
                for text in texts:
                    await socket.send(text)

            sender = asyncio.create_task(send())
            assert [await socket.recv() for _ in texts] == texts
            await sender
            await socket.close(4000, "enough")
            assert (socket.close_code, socket.close_reason) == (4000, "enough")

    run(talk())


def test_websockets_many_at_once(server: Server) -> None:
    async def talk(number: int) -> None:
        async with connect(server, "/echo") as socket:
            for count in range(10):
                await socket.send(f"{number}:{count}")
                assert await socket.recv() == f"{number}:{count}"

    async def all_of_them() -> None:
        await asyncio.gather(*[talk(number) for number in range(200)])

    run(all_of_them())


def test_websockets_sees_how_it_ends(server: Server) -> None:
    async def talk() -> None:
        async with connect(server, "/after-accept?how=returns") as socket:
            with pytest.raises(ConnectionClosedOK) as ok:
                await socket.recv()
            assert ok.value.rcvd and ok.value.rcvd.code == 1000
        async with connect(server, "/after-accept?how=raises") as socket:
            with pytest.raises(ConnectionClosedError) as error:
                await socket.recv()
            assert error.value.rcvd and error.value.rcvd.code == 1011
        with pytest.raises(InvalidStatus) as refused:
            await connect(server, "/before-accept?how=returns")
        assert refused.value.response.status_code == 500

    run(talk())


# --- wsproto ----------------------------------------------------------------------------------


def test_wsproto(server: Server) -> None:
    client = WSConnection(ConnectionType.CLIENT)
    request = events.Request(
        host="x", target="/echo", extensions=[PerMessageDeflate()], subprotocols=["a"]
    )
    with server.connect() as wire:
        wire.send(client.send(request))
        seen: list[Any] = []

        def until(kind: type) -> Any:
            while not any(isinstance(event, kind) for event in seen):
                client.receive_data(wire.socket.recv(65536) or None)
                seen.extend(client.events())
            found = next(event for event in seen if isinstance(event, kind))
            seen.remove(found)
            return found

        accepted = until(events.AcceptConnection)
        assert [extension.name for extension in accepted.extensions] == [
            "permessage-deflate"
        ]
        text = "compressible " * 100
        wire.send(client.send(events.TextMessage(text[:500], message_finished=False)))
        wire.send(client.send(events.Ping(b"between")))
        wire.send(client.send(events.TextMessage(text[500:])))
        assert until(events.Pong).payload == b"between"
        answer = ""
        while True:
            event = until(events.TextMessage)
            answer += event.data
            if event.message_finished:
                break
        assert answer == text
        wire.send(client.send(events.CloseConnection(1000, "bye")))
        assert until(events.CloseConnection).code == 1000
        wire.expect_end()


# --- aiohttp, httpx-ws ------------------------------------------------------------------------


def test_aiohttp(server: Server) -> None:
    async def talk() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(url(server, "/echo"), compress=15) as socket:
                await socket.send_str("hello " * 1000)
                assert await socket.receive_str() == "hello " * 1000
                await socket.send_bytes(b"\x00\x01")
                assert await socket.receive_bytes() == b"\x00\x01"
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url(server, "/before-accept?how=raises"))
            assert refused.value.status == 500

    run(talk())


def test_httpx_ws(server: Server) -> None:
    async def talk() -> None:
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            aconnect_ws(url(server, "/echo"), client) as socket,
        ):
            await socket.send_text("hello")
            assert await socket.receive_text() == "hello"

    run(talk())


# --- FastAPI and Starlette --------------------------------------------------------------------


def test_fastapi(frameworks: Server) -> None:
    ticket = frameworks.ticket()

    async def talk() -> None:
        async with connect(frameworks, f"/fastapi/echo?ticket={ticket}") as socket:
            await socket.send("hello")
            assert await socket.recv() == "you said hello"
            await socket.close(1001, "leaving")
        async with connect(
            frameworks, "/fastapi/json", subprotocols=["json"]
        ) as socket:
            assert socket.subprotocol == "json"
            await socket.send('{"a": [1, 2]}')
            assert json.loads(await socket.recv()) == {"got": {"a": [1, 2]}}

    run(talk())
    assert frameworks.reported(ticket) == [1001, "leaving"]


def test_fastapi_ends(frameworks: Server) -> None:
    before = frameworks.stderr.size()

    async def talk() -> None:
        async with connect(frameworks, "/fastapi/secret?token=t") as socket:
            assert await socket.recv() == "t"
            with pytest.raises(ConnectionClosedError):
                await socket.recv()
            assert (socket.close_code, socket.close_reason) == (4001, "enough")
        async with connect(frameworks, "/fastapi/failing") as socket:
            with pytest.raises(ConnectionClosedError):
                await socket.recv()
            assert socket.close_code == 1011

    run(talk())
    frameworks.stderr.wait_for("RuntimeError: a bug in the route", start=before)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("secret", 403, b""),
        ("denied", 401, b'{"why":"not you"}'),
        ("http-exception", 418, b'{"detail":"a teapot"}'),
        ("nowhere", 403, b""),
    ],
)
def test_fastapi_denies(
    frameworks: Server, path: str, status: int, body: bytes
) -> None:
    async def talk() -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(frameworks, f"/fastapi/{path}")
        assert refused.value.response.status_code == status
        assert refused.value.response.body == body

    run(talk())


def test_starlette_endpoint(frameworks: Server) -> None:
    ticket = frameworks.ticket()

    async def talk() -> None:
        async with connect(frameworks, f"/reverse?ticket={ticket}") as socket:
            await socket.send(b"abc")
            assert await socket.recv() == b"cba"
            await socket.send("text, where bytes are due")
            with pytest.raises(ConnectionClosedError):
                await socket.recv()
            assert socket.close_code == 1003

    run(talk())
    # What Starlette tells its endpoints of an error of their own.
    assert frameworks.reported(ticket) == 1011


# --- Socket.IO --------------------------------------------------------------------------------


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]])
def test_socket_io(frameworks: Server, transports: list[str]) -> None:
    @contextlib.asynccontextmanager
    async def client() -> AsyncIterator[
        tuple[socketio.AsyncClient, asyncio.Queue[str]]
    ]:
        io = socketio.AsyncClient()
        heard: asyncio.Queue[str] = asyncio.Queue()
        io.on("heard", heard.put)
        await io.connect(frameworks.url(""), transports=transports)
        yield io, heard
        await io.disconnect()

    async def talk() -> None:
        async with client() as (first, _), client() as (_, heard):
            assert await first.call("add", [1, 2, 3]) == 6
            await first.emit("shout", "hello")
            assert await heard.get() == "HELLO"

    run(talk())


# --- Django Channels --------------------------------------------------------------------------


def test_channels(channels: Server) -> None:
    async def talk() -> None:
        async with connect(channels, "/sync") as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
        async with connect(channels, "/room") as first:
            assert json.loads(await first.recv()) == "welcome"
            async with connect(channels, "/room") as second:
                assert json.loads(await second.recv()) == "welcome"
                await first.send('"hi"')
                for socket in (first, second):
                    assert json.loads(await socket.recv()) == {"said": "hi"}
                await second.send('"leave"')
                with pytest.raises(ConnectionClosedError):
                    await second.recv()
                assert second.close_code == 4002
        with pytest.raises(InvalidStatus) as refused:
            await connect(channels, "/room?banned")
        assert refused.value.response.status_code == 403

    run(talk())
    response = httpx.get(channels.url("/plain"), trust_env=False)
    assert response.text.startswith("GET /plain")


# --- Engines ----------------------------------------------------------------------------------


def test_trace_shows_the_messages(start: Start) -> None:
    server = start(ECHO, "--log-level", "trace")

    async def talk() -> None:
        async with connect(server, "/echo") as socket:
            await socket.send("secret")
            await socket.recv()

    run(talk())
    server.stderr.wait_for(r"ASGI \[2\] Receive {'type': 'websocket.connect'}")
    server.stderr.wait_for(
        r"ASGI \[2\] Receive {'type': 'websocket.receive', 'text': '<6 chars>'}"
    )
    server.stderr.wait_for("Upgrading to WebSocket")
    server.stderr.wait_for("WebSocket connection lost")
