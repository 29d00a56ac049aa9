"""A FastAPI application that answers with a little JSON."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index() -> dict[str, object]:
    return {
        "id": 42,
        "name": "tea",
        "price": 2.5,
        "tags": ["green", "loose"],
        "stock": True,
    }
