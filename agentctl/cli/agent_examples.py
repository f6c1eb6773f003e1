"""The files that `agentctl agents new` creates, and a prompt for each."""

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

TOML_EXAMPLE = '''# Agents for agentctl, without Python. For an editor that checks and completes this file:
#   agentctl agents schema > agents.schema.json
#:schema ./agents.schema.json

[agents.historian]
instructions = """
Answer questions about this repository in a few sentences. Name the commits that you rely on.
"""
# instructions = { file = "historian.md" }
# model = "gpt-5-mini"
# context_files = ["AGENTS.md"]
# max_turns = 10
tools = ["git_log", "git_show"]

# A command is never run by a shell: an element such as "{count}" becomes one argument, whatever is in it. Each call
# needs your approval, unless you change `approval` and trust this file with `agentctl trust agents.toml`.
[tools.git_log]
description = "Lists the newest commits, one in a line."
command = ["git", "log", "--oneline", "-n", "{count}"]
# approval = "never"

[tools.git_log.args.count]
type = "integer"
description = "The number of commits."
minimum = 1
maximum = 100
default = 10

[tools.git_show]
description = "Shows a commit with its changes."
command = ["git", "show", "--stat", "{commit}"]

[tools.git_show.args.commit]
type = "string"
description = "The hash of the commit."
'''

TOML_QUESTION = "What changed lately?"
