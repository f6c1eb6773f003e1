"""The agents runtime: everything public is a name of this module, imported when first used."""

from typing import TYPE_CHECKING

from ._lazy import exporter

if TYPE_CHECKING:
    from .agent.agent import Agent as Agent
    from .agent.context import (
        RunContextWrapper as RunContextWrapper,
    )
    from .agent.context import (
        ToolContext as ToolContext,
    )
    from .agent.events import (
        AgentUpdatedStreamEvent as AgentUpdatedStreamEvent,
    )
    from .agent.events import (
        ModelRequested as ModelRequested,
    )
    from .agent.events import (
        ModelResponded as ModelResponded,
    )
    from .agent.events import (
        Progressed as Progressed,
    )
    from .agent.events import (
        RawResponsesStreamEvent as RawResponsesStreamEvent,
    )
    from .agent.events import (
        RetryScheduled as RetryScheduled,
    )
    from .agent.events import (
        RunEvent as RunEvent,
    )
    from .agent.events import (
        RunFinished as RunFinished,
    )
    from .agent.events import (
        RunItemStreamEvent as RunItemStreamEvent,
    )
    from .agent.events import (
        RunStarted as RunStarted,
    )
    from .agent.events import (
        StreamEvent as StreamEvent,
    )
    from .agent.events import (
        Warned as Warned,
    )
    from .agent.function_schema import (
        FuncSchema as FuncSchema,
    )
    from .agent.function_schema import (
        function_schema as function_schema,
    )
    from .agent.function_tool import (
        default_tool_error_function as default_tool_error_function,
    )
    from .agent.function_tool import (
        function_tool as function_tool,
    )
    from .agent.items import (
        ItemHelpers as ItemHelpers,
    )
    from .agent.items import (
        MessageOutputItem as MessageOutputItem,
    )
    from .agent.items import (
        ModelResponse as ModelResponse,
    )
    from .agent.items import (
        ReasoningItem as ReasoningItem,
    )
    from .agent.items import (
        RunItem as RunItem,
    )
    from .agent.items import (
        ToolCallItem as ToolCallItem,
    )
    from .agent.items import (
        ToolCallOutputItem as ToolCallOutputItem,
    )
    from .agent.items import (
        UnrecognizedItem as UnrecognizedItem,
    )
    from .agent.model_settings import ModelSettings as ModelSettings
    from .agent.output import (
        AgentOutputSchema as AgentOutputSchema,
    )
    from .agent.output import (
        AgentOutputSchemaBase as AgentOutputSchemaBase,
    )
    from .agent.ports import (
        Model as Model,
    )
    from .agent.ports import (
        ModelProvider as ModelProvider,
    )
    from .agent.ports import (
        ModelRequest as ModelRequest,
    )
    from .agent.ports import (
        ModelTracing as ModelTracing,
    )
    from .agent.ports import (
        WireModel as WireModel,
    )
    from .agent.tool import (
        FunctionTool as FunctionTool,
    )
    from .agent.tool import (
        Tool as Tool,
    )
    from .agent.usage import (
        InputTokensDetails as InputTokensDetails,
    )
    from .agent.usage import (
        OutputTokensDetails as OutputTokensDetails,
    )
    from .agent.usage import (
        RequestUsage as RequestUsage,
    )
    from .agent.usage import (
        Usage as Usage,
    )
    from .errors import (
        AgentsException as AgentsException,
    )
    from .errors import (
        AuthenticationError as AuthenticationError,
    )
    from .errors import (
        ConfigurationError as ConfigurationError,
    )
    from .errors import (
        MaxTurnsExceeded as MaxTurnsExceeded,
    )
    from .errors import (
        MissingKeyError as MissingKeyError,
    )
    from .errors import (
        ModelBehaviorError as ModelBehaviorError,
    )
    from .errors import (
        ModelRefusalError as ModelRefusalError,
    )
    from .errors import (
        ModelTimeoutError as ModelTimeoutError,
    )
    from .errors import (
        RequestRejectedError as RequestRejectedError,
    )
    from .errors import (
        RunCancelled as RunCancelled,
    )
    from .errors import (
        RunTimeoutError as RunTimeoutError,
    )
    from .errors import (
        ServiceError as ServiceError,
    )
    from .errors import (
        ServiceUnavailableError as ServiceUnavailableError,
    )
    from .errors import (
        UserError as UserError,
    )
    from .log import enable_verbose_stdout_logging as enable_verbose_stdout_logging
    from .models.multi_provider import (
        MultiProvider as MultiProvider,
    )
    from .models.multi_provider import (
        MultiProviderMap as MultiProviderMap,
    )
    from .models.openai_provider import OpenAIProvider as OpenAIProvider
    from .run.config import RunConfig as RunConfig
    from .run.result import (
        RunErrorDetails as RunErrorDetails,
    )
    from .run.result import (
        RunResult as RunResult,
    )
    from .run.result import (
        RunResultStreaming as RunResultStreaming,
    )
    from .run.runner import Runner as Runner
    from .version import __version__ as __version__

_NAMES = {
    "Agent": "agentctl.agent.agent",
    "AgentOutputSchema": "agentctl.agent.output",
    "AgentOutputSchemaBase": "agentctl.agent.output",
    "AgentUpdatedStreamEvent": "agentctl.agent.events",
    "AgentsException": "agentctl.errors",
    "AuthenticationError": "agentctl.errors",
    "ConfigurationError": "agentctl.errors",
    "FuncSchema": "agentctl.agent.function_schema",
    "FunctionTool": "agentctl.agent.tool",
    "InputTokensDetails": "agentctl.agent.usage",
    "ItemHelpers": "agentctl.agent.items",
    "MaxTurnsExceeded": "agentctl.errors",
    "MessageOutputItem": "agentctl.agent.items",
    "MissingKeyError": "agentctl.errors",
    "Model": "agentctl.agent.ports",
    "ModelBehaviorError": "agentctl.errors",
    "ModelProvider": "agentctl.agent.ports",
    "ModelRefusalError": "agentctl.errors",
    "ModelRequest": "agentctl.agent.ports",
    "ModelRequested": "agentctl.agent.events",
    "ModelResponded": "agentctl.agent.events",
    "ModelResponse": "agentctl.agent.items",
    "ModelSettings": "agentctl.agent.model_settings",
    "ModelTimeoutError": "agentctl.errors",
    "ModelTracing": "agentctl.agent.ports",
    "MultiProvider": "agentctl.models.multi_provider",
    "MultiProviderMap": "agentctl.models.multi_provider",
    "OpenAIProvider": "agentctl.models.openai_provider",
    "OutputTokensDetails": "agentctl.agent.usage",
    "Progressed": "agentctl.agent.events",
    "RawResponsesStreamEvent": "agentctl.agent.events",
    "ReasoningItem": "agentctl.agent.items",
    "RequestRejectedError": "agentctl.errors",
    "RequestUsage": "agentctl.agent.usage",
    "RetryScheduled": "agentctl.agent.events",
    "RunCancelled": "agentctl.errors",
    "RunConfig": "agentctl.run.config",
    "RunContextWrapper": "agentctl.agent.context",
    "RunErrorDetails": "agentctl.run.result",
    "RunEvent": "agentctl.agent.events",
    "RunFinished": "agentctl.agent.events",
    "RunItem": "agentctl.agent.items",
    "RunItemStreamEvent": "agentctl.agent.events",
    "RunResult": "agentctl.run.result",
    "RunResultStreaming": "agentctl.run.result",
    "RunStarted": "agentctl.agent.events",
    "RunTimeoutError": "agentctl.errors",
    "Runner": "agentctl.run.runner",
    "ServiceError": "agentctl.errors",
    "ServiceUnavailableError": "agentctl.errors",
    "StreamEvent": "agentctl.agent.events",
    "Tool": "agentctl.agent.tool",
    "ToolCallItem": "agentctl.agent.items",
    "ToolCallOutputItem": "agentctl.agent.items",
    "ToolContext": "agentctl.agent.context",
    "UnrecognizedItem": "agentctl.agent.items",
    "Usage": "agentctl.agent.usage",
    "UserError": "agentctl.errors",
    "Warned": "agentctl.agent.events",
    "WireModel": "agentctl.agent.ports",
    "__version__": "agentctl.version",
    "default_tool_error_function": "agentctl.agent.function_tool",
    "enable_verbose_stdout_logging": "agentctl.log",
    "function_schema": "agentctl.agent.function_schema",
    "function_tool": "agentctl.agent.function_tool",
}

__getattr__, __dir__, __all__ = exporter(__name__, _NAMES)
