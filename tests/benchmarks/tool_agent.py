"""An agent with a function tool, for which `auto` opens a WebSocket."""

from agentctl import Agent, function_tool


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"The weather in {city} is fine."


agent = Agent(name="benchmark", tools=[get_weather])
