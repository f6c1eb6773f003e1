"""Models and providers of one's own, settings and clients, as users of the Agents SDK write them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from openai import AsyncOpenAI
from openai.types.responses import ResponseOutputMessage, ResponseOutputText
from openai.types.responses.response_usage import OutputTokensDetails
from openai.types.shared import Reasoning

from agentctl import (
    Agent,
    AgentOutputSchemaBase,
    Handoff,
    Model,
    ModelProvider,
    ModelResponse,
    ModelRetrySettings,
    ModelSettings,
    ModelTracing,
    MultiProvider,
    OpenAIChatCompletionsModel,
    OpenAIProvider,
    OpenAIResponsesModel,
    RunConfig,
    Tool,
    TResponseInputItem,
    TResponseStreamEvent,
    Usage,
    custom_span,
    gen_trace_id,
    responses_websocket_session,
    retry_policies,
    set_default_openai_api,
    set_default_openai_client,
    set_default_openai_key,
    trace,
)


class Echo(Model):
    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: Any | None,
    ) -> ModelResponse:
        text = ResponseOutputText(type="output_text", text=str(input), annotations=[])
        message = ResponseOutputMessage(id="1", type="message", role="assistant", status="completed", content=[text])
        usage = Usage(requests=1, output_tokens=3, output_tokens_details=OutputTokensDetails(reasoning_tokens=1))
        print(usage.output_tokens_details.reasoning_tokens, usage.input_tokens_details.cached_tokens)
        return ModelResponse(output=[message], usage=usage, response_id=None)

    def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: Any | None,
    ) -> AsyncIterator[TResponseStreamEvent]:
        raise NotImplementedError


class Provider(ModelProvider):
    def get_model(self, model_name: str | None) -> Model:
        return Echo()


client = AsyncOpenAI(api_key="sk-none", base_url="http://127.0.0.1:9/v1")
agents = [
    Agent(name="a", model=Echo()),
    Agent(name="b", model=OpenAIChatCompletionsModel(model="gpt-x", openai_client=client)),
    Agent(name="c", model=OpenAIResponsesModel(model="gpt-x", openai_client=client)),
]
settings = ModelSettings(
    reasoning=Reasoning(effort="low"),
    extra_headers={"x-a": "b"},
    metadata={"a": "b"},
    retry=ModelRetrySettings(max_retries=2, policy=retry_policies.http_status([500])),
).resolve(ModelSettings(max_tokens=10))
configs = [
    RunConfig(model_provider=Provider(), model_settings=settings),
    RunConfig(model_provider=MultiProvider(openai_use_responses=False)),
    RunConfig(model_provider=OpenAIProvider(openai_client=client)),
]


def set_up() -> None:
    set_default_openai_key("sk-none")
    set_default_openai_client(client, use_for_tracing=False)
    set_default_openai_api("chat_completions")


async def main() -> None:
    with trace("workflow", trace_id=gen_trace_id(), group_id="g"), custom_span("step", {"a": 1}):
        async with responses_websocket_session() as session:
            result = await session.run(agents[0], "hi")
            print(result.final_output)
            async for event in session.run_streamed(agents[1], "hi").stream_events():
                print(event.type)
