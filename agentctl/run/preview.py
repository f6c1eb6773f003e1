"""The request that a run would begin with, for who wants to see it before it costs anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.agent import Agent
from agentctl.agent.ports import WireModel
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError

from .call import Models, model_name
from .config import RunConfig
from .prepare import prepare
from .progress import begin

if TYPE_CHECKING:
    from agentctl.agent.session import Session


async def preview_request(
    agent: Agent[Any],
    input: str | list[WireItem],
    *,
    run_config: RunConfig | dict[str, Any] | None = None,
    session: Session | None = None,
) -> dict[str, JSONValue]:
    """Return what the first model call of a run would send, as `WireModel.preview` has it; nothing is sent.

    Raises:
        UserError: the model is none of ours, so nobody knows what it would send.
    """
    progress = begin(agent, input, context=None, max_turns=None, config=run_config, session=session)
    if progress.memory is not None:
        await progress.memory.begin(progress)
    model = Models(progress.config).of(agent)
    if not isinstance(model, WireModel):
        raise UserError(f"nobody knows what the model {model_name(model)} would send")
    return model.preview(await prepare(progress))
