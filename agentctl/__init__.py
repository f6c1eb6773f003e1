"""The agents runtime: everything public is a name of this module, imported when first used."""

from typing import TYPE_CHECKING

from ._lazy import exporter

if TYPE_CHECKING:
    from .agent.agent import Agent as Agent
    from .agent.agent import AgentBase as AgentBase
    from .agent.agent_tool import AgentToolStreamEvent as AgentToolStreamEvent
    from .agent.apply_diff import apply_diff as apply_diff
    from .agent.apply_patch_tool import ApplyPatchEditor as ApplyPatchEditor
    from .agent.apply_patch_tool import ApplyPatchOperation as ApplyPatchOperation
    from .agent.apply_patch_tool import ApplyPatchResult as ApplyPatchResult
    from .agent.apply_patch_tool import ApplyPatchTool as ApplyPatchTool
    from .agent.context import AgentHookContext as AgentHookContext
    from .agent.context import AgentToolInvocation as AgentToolInvocation
    from .agent.context import RunContextWrapper as RunContextWrapper
    from .agent.context import TContext as TContext
    from .agent.context import ToolContext as ToolContext
    from .agent.events import AgentUpdatedStreamEvent as AgentUpdatedStreamEvent
    from .agent.events import ApprovalRequired as ApprovalRequired
    from .agent.events import GuardrailChecked as GuardrailChecked
    from .agent.events import ModelRequested as ModelRequested
    from .agent.events import ModelResponded as ModelResponded
    from .agent.events import Progressed as Progressed
    from .agent.events import RawResponsesStreamEvent as RawResponsesStreamEvent
    from .agent.events import RetryScheduled as RetryScheduled
    from .agent.events import RunEvent as RunEvent
    from .agent.events import RunFinished as RunFinished
    from .agent.events import RunItemStreamEvent as RunItemStreamEvent
    from .agent.events import RunStarted as RunStarted
    from .agent.events import StreamEvent as StreamEvent
    from .agent.events import Warned as Warned
    from .agent.function_schema import FuncSchema as FuncSchema
    from .agent.function_schema import function_schema as function_schema
    from .agent.function_tool import function_tool as function_tool
    from .agent.guardrail import GuardrailFunctionOutput as GuardrailFunctionOutput
    from .agent.guardrail import InputGuardrail as InputGuardrail
    from .agent.guardrail import InputGuardrailResult as InputGuardrailResult
    from .agent.guardrail import OutputGuardrail as OutputGuardrail
    from .agent.guardrail import OutputGuardrailBlockedMessageArgs as OutputGuardrailBlockedMessageArgs
    from .agent.guardrail import OutputGuardrailBlockedMessageFormatter as OutputGuardrailBlockedMessageFormatter
    from .agent.guardrail import OutputGuardrailResult as OutputGuardrailResult
    from .agent.guardrail import input_guardrail as input_guardrail
    from .agent.guardrail import output_guardrail as output_guardrail
    from .agent.handoff import Handoff as Handoff
    from .agent.handoff import HandoffInputData as HandoffInputData
    from .agent.handoff import HandoffInputFilter as HandoffInputFilter
    from .agent.handoff import handoff as handoff
    from .agent.handoff_history import default_handoff_history_mapper as default_handoff_history_mapper
    from .agent.handoff_history import get_conversation_history_wrappers as get_conversation_history_wrappers
    from .agent.handoff_history import nest_handoff_history as nest_handoff_history
    from .agent.handoff_history import reset_conversation_history_wrappers as reset_conversation_history_wrappers
    from .agent.handoff_history import set_conversation_history_wrappers as set_conversation_history_wrappers
    from .agent.hosted_tools import CodeInterpreterTool as CodeInterpreterTool
    from .agent.hosted_tools import FileSearchTool as FileSearchTool
    from .agent.hosted_tools import HostedMCPTool as HostedMCPTool
    from .agent.hosted_tools import ImageGenerationTool as ImageGenerationTool
    from .agent.hosted_tools import MCPToolApprovalFunction as MCPToolApprovalFunction
    from .agent.hosted_tools import MCPToolApprovalFunctionResult as MCPToolApprovalFunctionResult
    from .agent.hosted_tools import MCPToolApprovalRequest as MCPToolApprovalRequest
    from .agent.hosted_tools import WebSearchTool as WebSearchTool
    from .agent.items import HandoffCallItem as HandoffCallItem
    from .agent.items import HandoffOutputItem as HandoffOutputItem
    from .agent.items import InputItem as InputItem
    from .agent.items import ItemHelpers as ItemHelpers
    from .agent.items import MCPApprovalRequestItem as MCPApprovalRequestItem
    from .agent.items import MCPApprovalResponseItem as MCPApprovalResponseItem
    from .agent.items import MCPListToolsItem as MCPListToolsItem
    from .agent.items import MessageOutputItem as MessageOutputItem
    from .agent.items import ModelResponse as ModelResponse
    from .agent.items import ReasoningItem as ReasoningItem
    from .agent.items import RunItem as RunItem
    from .agent.items import ToolApprovalItem as ToolApprovalItem
    from .agent.items import ToolCallItem as ToolCallItem
    from .agent.items import ToolCallOutputItem as ToolCallOutputItem
    from .agent.items import UnrecognizedItem as UnrecognizedItem
    from .agent.lifecycle import AgentHooks as AgentHooks
    from .agent.lifecycle import RunHooks as RunHooks
    from .agent.model_settings import ModelSettings as ModelSettings
    from .agent.output import AgentOutputSchema as AgentOutputSchema
    from .agent.output import AgentOutputSchemaBase as AgentOutputSchemaBase
    from .agent.ports import Model as Model
    from .agent.ports import ModelProvider as ModelProvider
    from .agent.ports import ModelRequest as ModelRequest
    from .agent.ports import ModelTracing as ModelTracing
    from .agent.ports import WireModel as WireModel
    from .agent.prompts import DynamicPromptFunction as DynamicPromptFunction
    from .agent.prompts import GenerateDynamicPromptData as GenerateDynamicPromptData
    from .agent.prompts import Prompt as Prompt
    from .agent.retry import ModelRetryAdvice as ModelRetryAdvice
    from .agent.retry import ModelRetryAdviceRequest as ModelRetryAdviceRequest
    from .agent.retry import ModelRetryBackoffSettings as ModelRetryBackoffSettings
    from .agent.retry import ModelRetryNormalizedError as ModelRetryNormalizedError
    from .agent.retry import ModelRetrySettings as ModelRetrySettings
    from .agent.retry import RetryDecision as RetryDecision
    from .agent.retry import RetryPolicy as RetryPolicy
    from .agent.retry import RetryPolicyContext as RetryPolicyContext
    from .agent.retry import retry_policies as retry_policies
    from .agent.session import Session as Session
    from .agent.session import SessionABC as SessionABC
    from .agent.session import SessionSettings as SessionSettings
    from .agent.shell_tool import LocalShellCommandRequest as LocalShellCommandRequest
    from .agent.shell_tool import LocalShellExecutor as LocalShellExecutor
    from .agent.shell_tool import LocalShellTool as LocalShellTool
    from .agent.shell_tool import ShellActionRequest as ShellActionRequest
    from .agent.shell_tool import ShellCallData as ShellCallData
    from .agent.shell_tool import ShellCallOutcome as ShellCallOutcome
    from .agent.shell_tool import ShellCommandOutput as ShellCommandOutput
    from .agent.shell_tool import ShellCommandRequest as ShellCommandRequest
    from .agent.shell_tool import ShellExecutor as ShellExecutor
    from .agent.shell_tool import ShellResult as ShellResult
    from .agent.shell_tool import ShellTool as ShellTool
    from .agent.tool import FunctionTool as FunctionTool
    from .agent.tool import Tool as Tool
    from .agent.tool import ToolErrorFunction as ToolErrorFunction
    from .agent.tool import default_tool_error_function as default_tool_error_function
    from .agent.tool_custom_data import FunctionToolCustomDataContext as FunctionToolCustomDataContext
    from .agent.tool_custom_data import FunctionToolCustomDataExtractor as FunctionToolCustomDataExtractor
    from .agent.tool_error_formatter import ToolErrorFormatter as ToolErrorFormatter
    from .agent.tool_error_formatter import ToolErrorFormatterArgs as ToolErrorFormatterArgs
    from .agent.tool_guardrails import ToolGuardrailFunctionOutput as ToolGuardrailFunctionOutput
    from .agent.tool_guardrails import ToolInputGuardrail as ToolInputGuardrail
    from .agent.tool_guardrails import ToolInputGuardrailData as ToolInputGuardrailData
    from .agent.tool_guardrails import ToolInputGuardrailResult as ToolInputGuardrailResult
    from .agent.tool_guardrails import ToolOutputGuardrail as ToolOutputGuardrail
    from .agent.tool_guardrails import ToolOutputGuardrailData as ToolOutputGuardrailData
    from .agent.tool_guardrails import ToolOutputGuardrailResult as ToolOutputGuardrailResult
    from .agent.tool_guardrails import tool_input_guardrail as tool_input_guardrail
    from .agent.tool_guardrails import tool_output_guardrail as tool_output_guardrail
    from .agent.tool_origin import ToolOrigin as ToolOrigin
    from .agent.tool_origin import ToolOriginType as ToolOriginType
    from .agent.tool_parts import ToolOutputFileContent as ToolOutputFileContent
    from .agent.tool_parts import ToolOutputFileContentDict as ToolOutputFileContentDict
    from .agent.tool_parts import ToolOutputImage as ToolOutputImage
    from .agent.tool_parts import ToolOutputImageDict as ToolOutputImageDict
    from .agent.tool_parts import ToolOutputText as ToolOutputText
    from .agent.tool_parts import ToolOutputTextDict as ToolOutputTextDict
    from .agent.tool_use import FunctionToolResult as FunctionToolResult
    from .agent.tool_use import StopAtTools as StopAtTools
    from .agent.tool_use import ToolsToFinalOutputFunction as ToolsToFinalOutputFunction
    from .agent.tool_use import ToolsToFinalOutputResult as ToolsToFinalOutputResult
    from .agent.usage import InputTokensDetails as InputTokensDetails
    from .agent.usage import OutputTokensDetails as OutputTokensDetails
    from .agent.usage import RequestUsage as RequestUsage
    from .agent.usage import TransportUsage as TransportUsage
    from .agent.usage import Usage as Usage
    from .agent.wire import TResponseInputItem as TResponseInputItem
    from .agent.wire import TResponseOutputItem as TResponseOutputItem
    from .agent.wire import TResponseStreamEvent as TResponseStreamEvent
    from .errors import AgentsException as AgentsException
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BudgetExceeded as BudgetExceeded
    from .errors import ConfigurationError as ConfigurationError
    from .errors import GuardrailTripwireTriggered as GuardrailTripwireTriggered
    from .errors import InputGuardrailTripwireTriggered as InputGuardrailTripwireTriggered
    from .errors import MaxTurnsExceeded as MaxTurnsExceeded
    from .errors import MCPToolCancellationError as MCPToolCancellationError
    from .errors import MissingKeyError as MissingKeyError
    from .errors import ModelBehaviorError as ModelBehaviorError
    from .errors import ModelRefusalError as ModelRefusalError
    from .errors import ModelTimeoutError as ModelTimeoutError
    from .errors import OutputGuardrailTripwireTriggered as OutputGuardrailTripwireTriggered
    from .errors import RequestRejectedError as RequestRejectedError
    from .errors import RunCancelled as RunCancelled
    from .errors import RunTimeoutError as RunTimeoutError
    from .errors import ServiceError as ServiceError
    from .errors import ServiceUnavailableError as ServiceUnavailableError
    from .errors import SessionInUseError as SessionInUseError
    from .errors import ToolInputGuardrailTripwireTriggered as ToolInputGuardrailTripwireTriggered
    from .errors import ToolOutputGuardrailTripwireTriggered as ToolOutputGuardrailTripwireTriggered
    from .errors import ToolTimeoutError as ToolTimeoutError
    from .errors import UserError as UserError
    from .log import enable_verbose_stdout_logging as enable_verbose_stdout_logging
    from .memory.openai_conversations_session import OpenAIConversationsSession as OpenAIConversationsSession
    from .memory.sqlite_session import SQLiteSession as SQLiteSession
    from .models.multi_provider import MultiProvider as MultiProvider
    from .models.multi_provider import MultiProviderMap as MultiProviderMap
    from .models.openai_chatcompletions import OpenAIChatCompletionsModel as OpenAIChatCompletionsModel
    from .models.openai_provider import OpenAIProvider as OpenAIProvider
    from .models.openai_responses import OpenAIResponsesModel as OpenAIResponsesModel
    from .models.openai_responses_ws import OpenAIResponsesWSModel as OpenAIResponsesWSModel
    from .models.transport import OpenAIResponsesWebSocketOptions as OpenAIResponsesWebSocketOptions
    from .net.defaults import set_default_openai_api as set_default_openai_api
    from .net.defaults import set_default_openai_client as set_default_openai_client
    from .net.defaults import set_default_openai_key as set_default_openai_key
    from .net.defaults import set_default_openai_responses_transport as set_default_openai_responses_transport
    from .net.defaults import set_tracing_export_api_key as set_tracing_export_api_key
    from .run.config import ReasoningItemIdPolicy as ReasoningItemIdPolicy
    from .run.config import RunConfig as RunConfig
    from .run.config import ToolExecutionConfig as ToolExecutionConfig
    from .run.config import ToolNameCollisionPolicy as ToolNameCollisionPolicy
    from .run.config import ToolNotFoundBehavior as ToolNotFoundBehavior
    from .run.demo_loop import run_demo_loop as run_demo_loop
    from .run.error_handlers import RunErrorData as RunErrorData
    from .run.error_handlers import RunErrorHandler as RunErrorHandler
    from .run.error_handlers import RunErrorHandlerInput as RunErrorHandlerInput
    from .run.error_handlers import RunErrorHandlerResult as RunErrorHandlerResult
    from .run.error_handlers import RunErrorHandlers as RunErrorHandlers
    from .run.input_filter import CallModelData as CallModelData
    from .run.input_filter import CallModelInputFilter as CallModelInputFilter
    from .run.input_filter import ModelInputData as ModelInputData
    from .run.preview import preview_request as preview_request
    from .run.result import RunErrorDetails as RunErrorDetails
    from .run.result import RunResult as RunResult
    from .run.result import RunResultStreaming as RunResultStreaming
    from .run.runner import Runner as Runner
    from .run.state import RunState as RunState
    from .run.websocket_session import ResponsesWebSocketSession as ResponsesWebSocketSession
    from .run.websocket_session import responses_websocket_session as responses_websocket_session
    from .tracing.create import agent_span as agent_span
    from .tracing.create import custom_span as custom_span
    from .tracing.create import function_span as function_span
    from .tracing.create import gen_span_id as gen_span_id
    from .tracing.create import gen_trace_id as gen_trace_id
    from .tracing.create import generation_span as generation_span
    from .tracing.create import guardrail_span as guardrail_span
    from .tracing.create import handoff_span as handoff_span
    from .tracing.create import mcp_tools_span as mcp_tools_span
    from .tracing.create import trace as trace
    from .tracing.current import get_current_span as get_current_span
    from .tracing.current import get_current_trace as get_current_trace
    from .tracing.process import add_trace_processor as add_trace_processor
    from .tracing.process import flush_traces as flush_traces
    from .tracing.process import get_trace_provider as get_trace_provider
    from .tracing.process import set_trace_processors as set_trace_processors
    from .tracing.process import set_trace_provider as set_trace_provider
    from .tracing.process import set_tracing_disabled as set_tracing_disabled
    from .tracing.processor_interface import TracingProcessor as TracingProcessor
    from .tracing.span_data import AgentSpanData as AgentSpanData
    from .tracing.span_data import CustomSpanData as CustomSpanData
    from .tracing.span_data import FunctionSpanData as FunctionSpanData
    from .tracing.span_data import GenerationSpanData as GenerationSpanData
    from .tracing.span_data import GuardrailSpanData as GuardrailSpanData
    from .tracing.span_data import HandoffSpanData as HandoffSpanData
    from .tracing.span_data import MCPListToolsSpanData as MCPListToolsSpanData
    from .tracing.span_data import ResponseSpanData as ResponseSpanData
    from .tracing.span_data import SpanData as SpanData
    from .tracing.spans import Span as Span
    from .tracing.spans import SpanError as SpanError
    from .tracing.traces import Trace as Trace
    from .version import __version__ as __version__

_NAMES = {
    "Agent": "agentctl.agent.agent",
    "AgentBase": "agentctl.agent.agent",
    "AgentHookContext": "agentctl.agent.context",
    "AgentHooks": "agentctl.agent.lifecycle",
    "AgentOutputSchema": "agentctl.agent.output",
    "AgentOutputSchemaBase": "agentctl.agent.output",
    "AgentSpanData": "agentctl.tracing.span_data",
    "AgentToolInvocation": "agentctl.agent.context",
    "AgentToolStreamEvent": "agentctl.agent.agent_tool",
    "AgentUpdatedStreamEvent": "agentctl.agent.events",
    "AgentsException": "agentctl.errors",
    "ApplyPatchEditor": "agentctl.agent.apply_patch_tool",
    "ApplyPatchOperation": "agentctl.agent.apply_patch_tool",
    "ApplyPatchResult": "agentctl.agent.apply_patch_tool",
    "ApplyPatchTool": "agentctl.agent.apply_patch_tool",
    "ApprovalRequired": "agentctl.agent.events",
    "AuthenticationError": "agentctl.errors",
    "BudgetExceeded": "agentctl.errors",
    "CallModelData": "agentctl.run.input_filter",
    "CallModelInputFilter": "agentctl.run.input_filter",
    "CodeInterpreterTool": "agentctl.agent.hosted_tools",
    "ConfigurationError": "agentctl.errors",
    "CustomSpanData": "agentctl.tracing.span_data",
    "DynamicPromptFunction": "agentctl.agent.prompts",
    "FileSearchTool": "agentctl.agent.hosted_tools",
    "FuncSchema": "agentctl.agent.function_schema",
    "FunctionSpanData": "agentctl.tracing.span_data",
    "FunctionTool": "agentctl.agent.tool",
    "FunctionToolCustomDataContext": "agentctl.agent.tool_custom_data",
    "FunctionToolCustomDataExtractor": "agentctl.agent.tool_custom_data",
    "FunctionToolResult": "agentctl.agent.tool_use",
    "GenerateDynamicPromptData": "agentctl.agent.prompts",
    "GenerationSpanData": "agentctl.tracing.span_data",
    "GuardrailChecked": "agentctl.agent.events",
    "GuardrailFunctionOutput": "agentctl.agent.guardrail",
    "GuardrailSpanData": "agentctl.tracing.span_data",
    "GuardrailTripwireTriggered": "agentctl.errors",
    "Handoff": "agentctl.agent.handoff",
    "HandoffCallItem": "agentctl.agent.items",
    "HandoffInputData": "agentctl.agent.handoff",
    "HandoffInputFilter": "agentctl.agent.handoff",
    "HandoffOutputItem": "agentctl.agent.items",
    "HandoffSpanData": "agentctl.tracing.span_data",
    "HostedMCPTool": "agentctl.agent.hosted_tools",
    "ImageGenerationTool": "agentctl.agent.hosted_tools",
    "InputGuardrail": "agentctl.agent.guardrail",
    "InputGuardrailResult": "agentctl.agent.guardrail",
    "InputGuardrailTripwireTriggered": "agentctl.errors",
    "InputItem": "agentctl.agent.items",
    "InputTokensDetails": "agentctl.agent.usage",
    "ItemHelpers": "agentctl.agent.items",
    "LocalShellCommandRequest": "agentctl.agent.shell_tool",
    "LocalShellExecutor": "agentctl.agent.shell_tool",
    "LocalShellTool": "agentctl.agent.shell_tool",
    "MCPApprovalRequestItem": "agentctl.agent.items",
    "MCPApprovalResponseItem": "agentctl.agent.items",
    "MCPListToolsItem": "agentctl.agent.items",
    "MCPListToolsSpanData": "agentctl.tracing.span_data",
    "MCPToolApprovalFunction": "agentctl.agent.hosted_tools",
    "MCPToolApprovalFunctionResult": "agentctl.agent.hosted_tools",
    "MCPToolApprovalRequest": "agentctl.agent.hosted_tools",
    "MCPToolCancellationError": "agentctl.errors",
    "MaxTurnsExceeded": "agentctl.errors",
    "MessageOutputItem": "agentctl.agent.items",
    "MissingKeyError": "agentctl.errors",
    "Model": "agentctl.agent.ports",
    "ModelBehaviorError": "agentctl.errors",
    "ModelInputData": "agentctl.run.input_filter",
    "ModelProvider": "agentctl.agent.ports",
    "ModelRefusalError": "agentctl.errors",
    "ModelRequest": "agentctl.agent.ports",
    "ModelRequested": "agentctl.agent.events",
    "ModelResponded": "agentctl.agent.events",
    "ModelResponse": "agentctl.agent.items",
    "ModelRetryAdvice": "agentctl.agent.retry",
    "ModelRetryAdviceRequest": "agentctl.agent.retry",
    "ModelRetryBackoffSettings": "agentctl.agent.retry",
    "ModelRetryNormalizedError": "agentctl.agent.retry",
    "ModelRetrySettings": "agentctl.agent.retry",
    "ModelSettings": "agentctl.agent.model_settings",
    "ModelTimeoutError": "agentctl.errors",
    "ModelTracing": "agentctl.agent.ports",
    "MultiProvider": "agentctl.models.multi_provider",
    "MultiProviderMap": "agentctl.models.multi_provider",
    "OpenAIChatCompletionsModel": "agentctl.models.openai_chatcompletions",
    "OpenAIConversationsSession": "agentctl.memory.openai_conversations_session",
    "OpenAIProvider": "agentctl.models.openai_provider",
    "OpenAIResponsesModel": "agentctl.models.openai_responses",
    "OpenAIResponsesWSModel": "agentctl.models.openai_responses_ws",
    "OpenAIResponsesWebSocketOptions": "agentctl.models.transport",
    "OutputGuardrail": "agentctl.agent.guardrail",
    "OutputGuardrailBlockedMessageArgs": "agentctl.agent.guardrail",
    "OutputGuardrailBlockedMessageFormatter": "agentctl.agent.guardrail",
    "OutputGuardrailResult": "agentctl.agent.guardrail",
    "OutputGuardrailTripwireTriggered": "agentctl.errors",
    "OutputTokensDetails": "agentctl.agent.usage",
    "Progressed": "agentctl.agent.events",
    "Prompt": "agentctl.agent.prompts",
    "RawResponsesStreamEvent": "agentctl.agent.events",
    "ReasoningItem": "agentctl.agent.items",
    "ReasoningItemIdPolicy": "agentctl.run.config",
    "RequestRejectedError": "agentctl.errors",
    "RequestUsage": "agentctl.agent.usage",
    "ResponseSpanData": "agentctl.tracing.span_data",
    "ResponsesWebSocketSession": "agentctl.run.websocket_session",
    "RetryDecision": "agentctl.agent.retry",
    "RetryPolicy": "agentctl.agent.retry",
    "RetryPolicyContext": "agentctl.agent.retry",
    "RetryScheduled": "agentctl.agent.events",
    "RunCancelled": "agentctl.errors",
    "RunConfig": "agentctl.run.config",
    "RunContextWrapper": "agentctl.agent.context",
    "RunErrorData": "agentctl.run.error_handlers",
    "RunErrorDetails": "agentctl.run.result",
    "RunErrorHandler": "agentctl.run.error_handlers",
    "RunErrorHandlerInput": "agentctl.run.error_handlers",
    "RunErrorHandlerResult": "agentctl.run.error_handlers",
    "RunErrorHandlers": "agentctl.run.error_handlers",
    "RunEvent": "agentctl.agent.events",
    "RunFinished": "agentctl.agent.events",
    "RunHooks": "agentctl.agent.lifecycle",
    "RunItem": "agentctl.agent.items",
    "RunItemStreamEvent": "agentctl.agent.events",
    "RunResult": "agentctl.run.result",
    "RunResultStreaming": "agentctl.run.result",
    "RunStarted": "agentctl.agent.events",
    "RunState": "agentctl.run.state",
    "RunTimeoutError": "agentctl.errors",
    "Runner": "agentctl.run.runner",
    "SQLiteSession": "agentctl.memory.sqlite_session",
    "ServiceError": "agentctl.errors",
    "ServiceUnavailableError": "agentctl.errors",
    "Session": "agentctl.agent.session",
    "SessionABC": "agentctl.agent.session",
    "SessionInUseError": "agentctl.errors",
    "SessionSettings": "agentctl.agent.session",
    "ShellActionRequest": "agentctl.agent.shell_tool",
    "ShellCallData": "agentctl.agent.shell_tool",
    "ShellCallOutcome": "agentctl.agent.shell_tool",
    "ShellCommandOutput": "agentctl.agent.shell_tool",
    "ShellCommandRequest": "agentctl.agent.shell_tool",
    "ShellExecutor": "agentctl.agent.shell_tool",
    "ShellResult": "agentctl.agent.shell_tool",
    "ShellTool": "agentctl.agent.shell_tool",
    "Span": "agentctl.tracing.spans",
    "SpanData": "agentctl.tracing.span_data",
    "SpanError": "agentctl.tracing.spans",
    "StopAtTools": "agentctl.agent.tool_use",
    "StreamEvent": "agentctl.agent.events",
    "TContext": "agentctl.agent.context",
    "TResponseInputItem": "agentctl.agent.wire",
    "TResponseOutputItem": "agentctl.agent.wire",
    "TResponseStreamEvent": "agentctl.agent.wire",
    "Tool": "agentctl.agent.tool",
    "ToolApprovalItem": "agentctl.agent.items",
    "ToolCallItem": "agentctl.agent.items",
    "ToolCallOutputItem": "agentctl.agent.items",
    "ToolContext": "agentctl.agent.context",
    "ToolErrorFormatter": "agentctl.agent.tool_error_formatter",
    "ToolErrorFormatterArgs": "agentctl.agent.tool_error_formatter",
    "ToolErrorFunction": "agentctl.agent.tool",
    "ToolExecutionConfig": "agentctl.run.config",
    "ToolGuardrailFunctionOutput": "agentctl.agent.tool_guardrails",
    "ToolInputGuardrail": "agentctl.agent.tool_guardrails",
    "ToolInputGuardrailData": "agentctl.agent.tool_guardrails",
    "ToolInputGuardrailResult": "agentctl.agent.tool_guardrails",
    "ToolInputGuardrailTripwireTriggered": "agentctl.errors",
    "ToolNameCollisionPolicy": "agentctl.run.config",
    "ToolNotFoundBehavior": "agentctl.run.config",
    "ToolOrigin": "agentctl.agent.tool_origin",
    "ToolOriginType": "agentctl.agent.tool_origin",
    "ToolOutputFileContent": "agentctl.agent.tool_parts",
    "ToolOutputFileContentDict": "agentctl.agent.tool_parts",
    "ToolOutputGuardrail": "agentctl.agent.tool_guardrails",
    "ToolOutputGuardrailData": "agentctl.agent.tool_guardrails",
    "ToolOutputGuardrailResult": "agentctl.agent.tool_guardrails",
    "ToolOutputGuardrailTripwireTriggered": "agentctl.errors",
    "ToolOutputImage": "agentctl.agent.tool_parts",
    "ToolOutputImageDict": "agentctl.agent.tool_parts",
    "ToolOutputText": "agentctl.agent.tool_parts",
    "ToolOutputTextDict": "agentctl.agent.tool_parts",
    "ToolTimeoutError": "agentctl.errors",
    "ToolsToFinalOutputFunction": "agentctl.agent.tool_use",
    "ToolsToFinalOutputResult": "agentctl.agent.tool_use",
    "Trace": "agentctl.tracing.traces",
    "TracingProcessor": "agentctl.tracing.processor_interface",
    "TransportUsage": "agentctl.agent.usage",
    "UnrecognizedItem": "agentctl.agent.items",
    "Usage": "agentctl.agent.usage",
    "UserError": "agentctl.errors",
    "Warned": "agentctl.agent.events",
    "WebSearchTool": "agentctl.agent.hosted_tools",
    "WireModel": "agentctl.agent.ports",
    "__version__": "agentctl.version",
    "add_trace_processor": "agentctl.tracing.process",
    "agent_span": "agentctl.tracing.create",
    "apply_diff": "agentctl.agent.apply_diff",
    "custom_span": "agentctl.tracing.create",
    "default_handoff_history_mapper": "agentctl.agent.handoff_history",
    "default_tool_error_function": "agentctl.agent.tool",
    "enable_verbose_stdout_logging": "agentctl.log",
    "flush_traces": "agentctl.tracing.process",
    "function_schema": "agentctl.agent.function_schema",
    "function_span": "agentctl.tracing.create",
    "function_tool": "agentctl.agent.function_tool",
    "gen_span_id": "agentctl.tracing.create",
    "gen_trace_id": "agentctl.tracing.create",
    "generation_span": "agentctl.tracing.create",
    "get_conversation_history_wrappers": "agentctl.agent.handoff_history",
    "get_current_span": "agentctl.tracing.current",
    "get_current_trace": "agentctl.tracing.current",
    "get_trace_provider": "agentctl.tracing.process",
    "guardrail_span": "agentctl.tracing.create",
    "handoff": "agentctl.agent.handoff",
    "handoff_span": "agentctl.tracing.create",
    "input_guardrail": "agentctl.agent.guardrail",
    "mcp_tools_span": "agentctl.tracing.create",
    "nest_handoff_history": "agentctl.agent.handoff_history",
    "output_guardrail": "agentctl.agent.guardrail",
    "preview_request": "agentctl.run.preview",
    "reset_conversation_history_wrappers": "agentctl.agent.handoff_history",
    "responses_websocket_session": "agentctl.run.websocket_session",
    "retry_policies": "agentctl.agent.retry",
    "run_demo_loop": "agentctl.run.demo_loop",
    "set_conversation_history_wrappers": "agentctl.agent.handoff_history",
    "set_default_openai_api": "agentctl.net.defaults",
    "set_default_openai_client": "agentctl.net.defaults",
    "set_default_openai_key": "agentctl.net.defaults",
    "set_default_openai_responses_transport": "agentctl.net.defaults",
    "set_trace_processors": "agentctl.tracing.process",
    "set_trace_provider": "agentctl.tracing.process",
    "set_tracing_disabled": "agentctl.tracing.process",
    "set_tracing_export_api_key": "agentctl.net.defaults",
    "tool_input_guardrail": "agentctl.agent.tool_guardrails",
    "tool_output_guardrail": "agentctl.agent.tool_guardrails",
    "trace": "agentctl.tracing.create",
}

__getattr__, __dir__, __all__ = exporter(__name__, _NAMES)
