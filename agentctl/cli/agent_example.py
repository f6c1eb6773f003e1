"""The agent that `agentctl agents new` writes: small, whole, and good with any model, the local one included."""

EXAMPLE = '''"""An agent with a tool."""

import random

from agentctl import Agent, function_tool


@function_tool
def roll_dice(sides: int) -> str:
    """Roll a die.

    Args:
        sides: How many sides the die has.
    """
    return f"The die shows {random.randint(1, sides)}."


agent = Agent(name="dealer", instructions="Answer in one short sentence.", tools=[roll_dice])
'''

QUESTION = "Roll a die with 6 sides."
