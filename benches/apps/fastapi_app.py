"""A FastAPI application: a little JSON, and a dependency with a checked body."""

from typing import Annotated

from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel, Field

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


class Order(BaseModel):
    name: str = Field(min_length=1, max_length=50)
    count: int = Field(ge=1, le=1000)
    price: float
    tags: list[str] = []


class Receipt(BaseModel):
    name: str
    total: float
    buyer: str


async def buyer(x_buyer: Annotated[str, Header()] = "anonymous") -> str:
    return x_buyer


@app.post("/orders")
async def order(order: Order, buyer: Annotated[str, Depends(buyer)]) -> Receipt:
    return Receipt(name=order.name, total=order.count * order.price, buyer=buyer)
