"""A Starlette application with middleware, static files and server-sent events."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from apps.asgi import report_as


class AddsHeader(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-base"] = "was here"
        return response


async def echo(request: Request) -> Response:
    return Response(await request.body(), headers={"x-method": request.method})


async def stream_echo(request: Request) -> Response:
    return StreamingResponse(request.stream())


async def redirect(_: Request) -> Response:
    return RedirectResponse("/static/small.txt")


async def url(request: Request) -> Response:
    return JSONResponse(
        {"url": str(request.url), "for": str(request.url_for("named", name="n"))}
    )


async def cookies(request: Request) -> Response:
    response = JSONResponse(request.cookies)
    response.set_cookie("one", "1")
    response.set_cookie("two", "2", httponly=True)
    return response


async def file(request: Request) -> Response:
    return FileResponse(os.path.join(os.environ["STATIC"], "large.bin"))


async def events(request: Request) -> Response:
    count = int(request.query_params["count"])

    async def produce() -> AsyncIterator[dict[str, str]]:
        for number in range(count):
            yield {"event": "number", "id": str(number), "data": f"{number}"}

    return EventSourceResponse(produce())


async def endless_events(request: Request) -> Response:
    ticket = request.query_params["ticket"]

    async def produce() -> AsyncIterator[dict[str, str]]:
        try:
            while True:
                yield {"data": "tick"}
                await asyncio.sleep(0.005)
        finally:
            report_as(ticket, "closed")

    return EventSourceResponse(produce())


async def is_disconnected(request: Request) -> Response:
    """Polls for the disconnect, as long computations do."""
    ticket = request.query_params["ticket"]
    report_as(ticket, await request.is_disconnected())
    while not await request.is_disconnected():
        await asyncio.sleep(0.001)
    report_as(ticket, "gone")
    return PlainTextResponse("nobody reads this")


async def aborted_upload(request: Request) -> Response:
    ticket = request.query_params["ticket"]
    report_as(ticket, "reading")
    try:
        await request.body()
    except ClientDisconnect:
        report_as(ticket, "client disconnect")
    return PlainTextResponse("done")


STATIC = os.environ.get("STATIC", ".")

app = Starlette(
    routes=[
        Route("/echo", echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        Route("/stream-echo", stream_echo, methods=["POST"]),
        Route("/redirect", redirect),
        Route("/url", url),
        Route("/named/{name}", echo, name="named"),
        Route("/cookies", cookies),
        Route("/file", file),
        Route("/events", events),
        Route("/endless-events", endless_events),
        Route("/is-disconnected", is_disconnected),
        Route("/aborted-upload", aborted_upload, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ],
    middleware=[Middleware(AddsHeader)],
)
zipped = GZipMiddleware(app, minimum_size=500)
bare = Starlette(routes=app.routes)
