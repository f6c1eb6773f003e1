"""Output types, as users of the Agents SDK write them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, assert_type

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agentctl import Agent, AgentOutputSchema, AgentOutputSchemaBase, ModelBehaviorError, Runner


class City(BaseModel):
    name: str
    people: int = Field(ge=0)


@dataclass
class Point:
    x: int


class Place(TypedDict):
    name: str


class Own(AgentOutputSchemaBase):
    def is_plain_text(self) -> bool:
        return False

    def name(self) -> str:
        return "own"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "object"}

    def is_strict_json_schema(self) -> bool:
        return False

    def validate_json(self, json_str: str) -> Any:
        try:
            return json.loads(json_str)
        except ValueError as error:
            raise ModelBehaviorError("no JSON") from error


agents = [
    Agent(name="a", output_type=City),
    Agent(name="b", output_type=Point),
    Agent(name="c", output_type=Place),
    Agent(name="d", output_type=list[City]),
    Agent(name="e", output_type=AgentOutputSchema(dict[str, int], strict_json_schema=False)),
    Agent(name="f", output_type=Own()),
    Agent(name="g", output_type=int),
]
kind: Literal["a"] = "a"


async def main() -> None:
    result = await Runner.run(agents[0], "hi")
    city = result.final_output_as(City)
    assert_type(city, City)
    print(city.people, result.final_output.name)
