"""A FastAPI application with what such applications do: `make run APP=examples.fastapi_app:app`.

    curl localhost:8000/orders -H 'content-type: application/json' -d '{"item": "tea", "count": 2}'
    curl localhost:8000/orders -H 'content-type: application/json' -d '{"item": "tea", "count": 0}'
    curl localhost:8000/upload -F file=@README.md
    curl -N 'localhost:8000/count?to=5'
    curl -N localhost:8000/events

The interactive documentation is at http://127.0.0.1:8000/docs.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Annotated

from fastapi import FastAPI, Query, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

CHUNK_BYTES = 64 * 1024
EVENT_INTERVAL_S = 1.0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    """What is made here lives as long as the server, and requests find it in their state."""
    yield {"order_numbers": count(1)}


app = FastAPI(title="smolcorn example", lifespan=lifespan)


class Order(BaseModel):
    """What a customer asks for."""

    item: str
    count: int = Field(gt=0)


@app.get("/")
async def index() -> dict[str, str]:
    return {"message": "Hello, world!", "documentation": "/docs"}


@app.post("/orders", status_code=201)
async def create_order(order: Order, request: Request) -> dict[str, object]:
    """JSON in and out; a count of 0 shows a validation error."""
    return {"number": next(request.state.order_numbers), **order.model_dump()}


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, object]:
    """Reads a file of any size, piece by piece."""
    digest, size = hashlib.sha256(), 0
    while chunk := await file.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return {"name": file.filename, "size": size, "sha256": digest.hexdigest()}


@app.get("/count")
async def count_up(to: Annotated[int, Query(gt=0)] = 10) -> StreamingResponse:
    """Streams numbers, one line each."""

    async def lines() -> AsyncIterator[str]:
        for number in range(1, to + 1):
            yield f"{number}\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/events")
async def events() -> StreamingResponse:
    """Server-sent events, until the client goes away."""

    async def ticks() -> AsyncIterator[str]:
        for number in count(1):
            yield f"id: {number}\nevent: tick\ndata: {json.dumps({'tick': number})}\n\n"
            await asyncio.sleep(EVENT_INTERVAL_S)

    return StreamingResponse(
        ticks(),
        media_type="text/event-stream",
        headers={"cache-control": "no-store"},
    )
