"""Handoffs and agents as tools, as users of the Agents SDK write them."""

from __future__ import annotations

from typing import Any, assert_type

from pydantic import BaseModel

from agentctl import (
    Agent,
    FunctionTool,
    Handoff,
    HandoffInputData,
    RunConfig,
    RunContextWrapper,
    Runner,
    RunResult,
    RunResultStreaming,
    handoff,
)
from agentctl.extensions import handoff_filters
from agentctl.extensions.handoff_prompt import RECOMMENDED_PROMPT_PREFIX, prompt_with_handoff_instructions


class UserContext(BaseModel):
    name: str


class Escalation(BaseModel):
    reason: str


billing = Agent[UserContext](
    name="Billing",
    handoff_description="Knows invoices.",
    instructions=f"{RECOMMENDED_PROMPT_PREFIX} Help with invoices.",
)
refunds = Agent[UserContext](name="Refunds", instructions=prompt_with_handoff_instructions("Help with refunds."))
anybody = Agent(name="Anybody")


async def on_escalation(context: RunContextWrapper[UserContext], input_data: Escalation) -> None:
    print(context.context.name, input_data.reason)


def on_refund(context: RunContextWrapper[UserContext]) -> None:
    print(context.context.name)


def last_only(data: HandoffInputData) -> HandoffInputData:
    return data.clone(pre_handoff_items=(), new_items=data.new_items[-1:])


def is_open(context: RunContextWrapper[Any], agent: Agent[UserContext]) -> bool:
    return True


to_billing = handoff(
    billing,
    on_handoff=on_escalation,
    input_type=Escalation,
    tool_name_override="escalate",
    input_filter=handoff_filters.remove_all_tools,
)
to_refunds = handoff(agent=refunds, on_handoff=on_refund, input_filter=last_only, is_enabled=is_open)
assert_type(to_billing, Handoff[UserContext, Agent[UserContext]])

triage = Agent[UserContext](name="Triage", handoffs=[billing, to_refunds, to_billing, anybody])
untyped = Agent(name="Untyped", handoffs=[triage, handoff(anybody)])
billing.handoffs.append(triage)


async def shortened(result: RunResult | RunResultStreaming) -> str:
    return str(result.final_output)[:100]


as_tool = billing.as_tool(
    tool_name="ask_billing", tool_description="Ask about invoices.", custom_output_extractor=shortened, max_turns=3
)
assert_type(as_tool, FunctionTool)


async def main() -> None:
    result = await Runner.run(
        triage,
        "hi",
        context=UserContext(name="Ada"),
        run_config=RunConfig(handoff_input_filter=last_only, nest_handoff_history=True),
    )
    if result.last_agent is billing:
        print("billing")
