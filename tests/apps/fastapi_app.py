"""A FastAPI application with what such applications are made of."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    File,
    Form,
    HTTPException,
    Request,
    UploadFile,
)
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from apps.asgi import report_as


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    report_as("lifespan", "start")
    yield {"greeting": "hello"}
    report_as("lifespan", "stop")


app = FastAPI(lifespan=lifespan)


class Item(BaseModel):
    name: str
    price: float = Field(gt=0)
    tags: list[str] = []


@app.post("/items", status_code=201)
async def create_item(item: Item) -> Item:
    return item


@app.get("/items/{number}")
async def read_item(number: int, q: str | None = None) -> dict[str, Any]:
    if number == 404:
        raise HTTPException(404, "no such item")
    return {"number": number, "q": q}


@app.get("/state")
async def state(request: Request) -> dict[str, Any]:
    client = request.client
    return {
        "greeting": request.state.greeting,
        "client": client.host if client else None,
        "url": str(request.url),
    }


@app.get("/sync")
def sync() -> dict[str, bool]:
    """Runs in the thread pool."""
    return {"main": threading.current_thread() is threading.main_thread()}


def database() -> Iterator[str]:
    yield "database"
    report_as("dependency", "closed")


@app.get("/depends")
async def depends(base: Annotated[str, Depends(database)]) -> dict[str, str]:
    return {"base": base}


@app.post("/upload")
async def upload(
    word: Annotated[str, Form()], files: Annotated[list[UploadFile], File()]
) -> list[Any]:
    sizes = [len(await file.read()) for file in files]
    return [
        word,
        [[file.filename, size] for file, size in zip(files, sizes, strict=True)],
    ]


@app.get("/stream")
async def stream(count: int = 5) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for number in range(count):
            yield f"line {number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/endless")
async def endless(ticket: str) -> StreamingResponse:
    """Streams until the client leaves, and cleans up then."""

    async def ticks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.005)
        finally:
            report_as(ticket, "cleaned up")

    return StreamingResponse(ticks())


@app.get("/sync-stream")
def sync_stream() -> StreamingResponse:
    return StreamingResponse(iter([b"one ", b"two ", b"three"]))


@app.get("/background")
async def background(ticket: str, tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add_task(report_as, ticket, "done in the background")
    return {"said": "at once"}


@app.get("/fails")
async def fails() -> None:
    raise RuntimeError("a bug in the endpoint")


@app.middleware("http")
async def add_header(request: Request, call_next: Any) -> Any:
    response = await call_next(request)
    response.headers["x-middleware"] = "was here"
    return response
