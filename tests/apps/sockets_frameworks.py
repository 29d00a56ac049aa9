"""WebSocket routes of frameworks, all in one application: Starlette around FastAPI and others."""

from typing import Annotated, Any

import socketio
from fastapi import (
    Depends,
    FastAPI,
    HTTPException,
    Query,
    WebSocket,
    WebSocketException,
    status,
)
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, WebSocketRoute
from starlette.websockets import WebSocket as StarletteWebSocket
from starlette.websockets import WebSocketDisconnect

from apps.asgi import report_as

# --- FastAPI ----------------------------------------------------------------------------------

fastapi = FastAPI()


def token_of(token: Annotated[str | None, Query()] = None) -> str:
    if token is None:
        raise WebSocketException(code=status.WS_1008_POLICY_VIOLATION)
    return token


@fastapi.websocket("/echo")
async def fastapi_echo(socket: WebSocket, ticket: str = "") -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(f"you said {await socket.receive_text()}")
    except WebSocketDisconnect as error:
        if ticket:
            report_as(ticket, [error.code, error.reason])


@fastapi.websocket("/json")
async def fastapi_json(socket: WebSocket) -> None:
    await socket.accept(subprotocol="json")
    async for value in socket.iter_json():
        await socket.send_json({"got": value})


@fastapi.websocket("/secret")
async def fastapi_secret(
    socket: WebSocket, token: Annotated[str, Depends(token_of)]
) -> None:
    await socket.accept()
    await socket.send_text(token)
    await socket.close(4001, "enough")


@fastapi.websocket("/denied")
async def fastapi_denied(socket: WebSocket) -> None:
    await socket.receive()
    await socket.send_denial_response(
        JSONResponse({"why": "not you"}, 401, {"x-a": "b"})
    )


@fastapi.websocket("/http-exception")
async def fastapi_http_exception(socket: WebSocket) -> None:
    raise HTTPException(418, "a teapot")


@fastapi.websocket("/failing")
async def fastapi_failing(socket: WebSocket) -> None:
    await socket.accept()
    raise RuntimeError("a bug in the route")


# --- Starlette --------------------------------------------------------------------------------


class Endpoint(WebSocketEndpoint):
    encoding = "bytes"

    async def on_receive(self, websocket: StarletteWebSocket, data: Any) -> None:
        await websocket.send_bytes(data[::-1])

    async def on_disconnect(
        self, websocket: StarletteWebSocket, close_code: int
    ) -> None:
        if ticket := websocket.query_params.get("ticket"):
            report_as(ticket, close_code)


# --- Socket.IO --------------------------------------------------------------------------------

io = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[])


@io.event
async def add(sid: str, numbers: list[int]) -> int:
    return sum(numbers)


@io.event
async def shout(sid: str, text: str) -> None:
    await io.emit("heard", text.upper())


app = Starlette(
    routes=[
        Mount("/fastapi", fastapi),
        WebSocketRoute("/reverse", Endpoint),
        Mount("/", socketio.ASGIApp(io)),
    ],
    middleware=[Middleware(CORSMiddleware, allow_origins=["*"])],
)
