"""The public names of the agents runtime; each is imported from its module on first use."""

import os
import sys

if (
    sys.argv[:1] == ["-m"]
    and {"agentctl", "-magentctl"} & {*sys.orig_argv[1:]}
    and os.path.exists(sys.path[0])
    and os.path.samefile(sys.path[0], os.curdir)
):
    # `python -m agentctl` puts the current folder first: its modules would replace those of the standard library.
    del sys.path[0]
from typing import TYPE_CHECKING

from agentctl._lazy import lazy_names

if TYPE_CHECKING:
    from agentctl.agent.agent import Agent as Agent
    from agentctl.agent.agent import AgentBase as AgentBase
    from agentctl.agent.agent_tool import AgentToolStreamEvent as AgentToolStreamEvent
    from agentctl.agent.context import AgentHookContext as AgentHookContext
    from agentctl.agent.context import AgentToolInvocation as AgentToolInvocation
    from agentctl.agent.context import RunContextWrapper as RunContextWrapper
    from agentctl.agent.context import TContext as TContext
    from agentctl.agent.context import ToolContext as ToolContext
    from agentctl.agent.events import AgentUpdatedStreamEvent as AgentUpdatedStreamEvent
    from agentctl.agent.events import ApprovalRequired as ApprovalRequired
    from agentctl.agent.events import GuardrailChecked as GuardrailChecked
    from agentctl.agent.events import ModelRequested as ModelRequested
    from agentctl.agent.events import ModelResponded as ModelResponded
    from agentctl.agent.events import Progressed as Progressed
    from agentctl.agent.events import RawResponsesStreamEvent as RawResponsesStreamEvent
    from agentctl.agent.events import RetryScheduled as RetryScheduled
    from agentctl.agent.events import RunEvent as RunEvent
    from agentctl.agent.events import RunFinished as RunFinished
    from agentctl.agent.events import RunItemStreamEvent as RunItemStreamEvent
    from agentctl.agent.events import RunStarted as RunStarted
    from agentctl.agent.events import StreamEvent as StreamEvent
    from agentctl.agent.events import ToolFinished as ToolFinished
    from agentctl.agent.events import ToolProgressed as ToolProgressed
    from agentctl.agent.events import ToolStarted as ToolStarted
    from agentctl.agent.events import Warned as Warned
    from agentctl.agent.guardrail import GuardrailFunctionOutput as GuardrailFunctionOutput
    from agentctl.agent.guardrail import InputGuardrail as InputGuardrail
    from agentctl.agent.guardrail import InputGuardrailResult as InputGuardrailResult
    from agentctl.agent.guardrail import OutputGuardrail as OutputGuardrail
    from agentctl.agent.guardrail import OutputGuardrailBlockedMessageArgs as OutputGuardrailBlockedMessageArgs
    from agentctl.agent.guardrail import (
        OutputGuardrailBlockedMessageFormatter as OutputGuardrailBlockedMessageFormatter,
    )
    from agentctl.agent.guardrail import OutputGuardrailResult as OutputGuardrailResult
    from agentctl.agent.guardrail import input_guardrail as input_guardrail
    from agentctl.agent.guardrail import output_guardrail as output_guardrail
    from agentctl.agent.handoff import Handoff as Handoff
    from agentctl.agent.handoff import HandoffInputData as HandoffInputData
    from agentctl.agent.handoff import HandoffInputFilter as HandoffInputFilter
    from agentctl.agent.handoff import handoff as handoff
    from agentctl.agent.handoff_history import default_handoff_history_mapper as default_handoff_history_mapper
    from agentctl.agent.handoff_history import get_conversation_history_wrappers as get_conversation_history_wrappers
    from agentctl.agent.handoff_history import nest_handoff_history as nest_handoff_history
    from agentctl.agent.handoff_history import (
        reset_conversation_history_wrappers as reset_conversation_history_wrappers,
    )
    from agentctl.agent.handoff_history import set_conversation_history_wrappers as set_conversation_history_wrappers
    from agentctl.agent.items.run_items import CompactionItem as CompactionItem
    from agentctl.agent.items.run_items import HandoffCallItem as HandoffCallItem
    from agentctl.agent.items.run_items import HandoffOutputItem as HandoffOutputItem
    from agentctl.agent.items.run_items import InputItem as InputItem
    from agentctl.agent.items.run_items import ItemHelpers as ItemHelpers
    from agentctl.agent.items.run_items import MCPApprovalRequestItem as MCPApprovalRequestItem
    from agentctl.agent.items.run_items import MCPApprovalResponseItem as MCPApprovalResponseItem
    from agentctl.agent.items.run_items import MCPListToolsItem as MCPListToolsItem
    from agentctl.agent.items.run_items import MessageOutputItem as MessageOutputItem
    from agentctl.agent.items.run_items import ModelResponse as ModelResponse
    from agentctl.agent.items.run_items import ReasoningItem as ReasoningItem
    from agentctl.agent.items.run_items import RunItem as RunItem
    from agentctl.agent.items.run_items import ToolApprovalItem as ToolApprovalItem
    from agentctl.agent.items.run_items import ToolCallItem as ToolCallItem
    from agentctl.agent.items.run_items import ToolCallOutputItem as ToolCallOutputItem
    from agentctl.agent.items.run_items import ToolSearchCallItem as ToolSearchCallItem
    from agentctl.agent.items.run_items import ToolSearchOutputItem as ToolSearchOutputItem
    from agentctl.agent.items.run_items import UnrecognizedItem as UnrecognizedItem
    from agentctl.agent.items.tool_output_parts import ToolOutputFileContent as ToolOutputFileContent
    from agentctl.agent.items.tool_output_parts import ToolOutputFileContentDict as ToolOutputFileContentDict
    from agentctl.agent.items.tool_output_parts import ToolOutputImage as ToolOutputImage
    from agentctl.agent.items.tool_output_parts import ToolOutputImageDict as ToolOutputImageDict
    from agentctl.agent.items.tool_output_parts import ToolOutputText as ToolOutputText
    from agentctl.agent.items.tool_output_parts import ToolOutputTextDict as ToolOutputTextDict
    from agentctl.agent.lifecycle import AgentHooks as AgentHooks
    from agentctl.agent.lifecycle import RunHooks as RunHooks
    from agentctl.agent.model_settings import ModelSettings as ModelSettings
    from agentctl.agent.output import AgentOutputSchema as AgentOutputSchema
    from agentctl.agent.output import AgentOutputSchemaBase as AgentOutputSchemaBase
    from agentctl.agent.ports import Model as Model
    from agentctl.agent.ports import ModelProvider as ModelProvider
    from agentctl.agent.ports import ModelRequest as ModelRequest
    from agentctl.agent.ports import ModelTracing as ModelTracing
    from agentctl.agent.ports import WireModel as WireModel
    from agentctl.agent.prompts import DynamicPromptFunction as DynamicPromptFunction
    from agentctl.agent.prompts import GenerateDynamicPromptData as GenerateDynamicPromptData
    from agentctl.agent.prompts import Prompt as Prompt
    from agentctl.agent.retry import ModelRetryAdvice as ModelRetryAdvice
    from agentctl.agent.retry import ModelRetryAdviceRequest as ModelRetryAdviceRequest
    from agentctl.agent.retry import ModelRetryBackoffSettings as ModelRetryBackoffSettings
    from agentctl.agent.retry import ModelRetryNormalizedError as ModelRetryNormalizedError
    from agentctl.agent.retry import ModelRetrySettings as ModelRetrySettings
    from agentctl.agent.retry import RetryDecision as RetryDecision
    from agentctl.agent.retry import RetryPolicy as RetryPolicy
    from agentctl.agent.retry import RetryPolicyContext as RetryPolicyContext
    from agentctl.agent.retry import retry_policies as retry_policies
    from agentctl.agent.run_config import ReasoningItemIdPolicy as ReasoningItemIdPolicy
    from agentctl.agent.run_config import RunConfig as RunConfig
    from agentctl.agent.run_config import ToolExecutionConfig as ToolExecutionConfig
    from agentctl.agent.run_config import ToolNameCollisionPolicy as ToolNameCollisionPolicy
    from agentctl.agent.run_config import ToolNotFoundBehavior as ToolNotFoundBehavior
    from agentctl.agent.session import OpenAIResponsesCompactionArgs as OpenAIResponsesCompactionArgs
    from agentctl.agent.session import OpenAIResponsesCompactionAwareSession as OpenAIResponsesCompactionAwareSession
    from agentctl.agent.session import Session as Session
    from agentctl.agent.session import SessionABC as SessionABC
    from agentctl.agent.session import SessionSettings as SessionSettings
    from agentctl.agent.session import (
        is_openai_responses_compaction_aware_session as is_openai_responses_compaction_aware_session,
    )
    from agentctl.agent.tools.apply_diff import apply_diff as apply_diff
    from agentctl.agent.tools.apply_patch import ApplyPatchEditor as ApplyPatchEditor
    from agentctl.agent.tools.apply_patch import ApplyPatchOperation as ApplyPatchOperation
    from agentctl.agent.tools.apply_patch import ApplyPatchResult as ApplyPatchResult
    from agentctl.agent.tools.apply_patch import ApplyPatchTool as ApplyPatchTool
    from agentctl.agent.tools.apply_patch import ApplyPatchToolCustomDataContext as ApplyPatchToolCustomDataContext
    from agentctl.agent.tools.apply_patch import ApplyPatchToolCustomDataExtractor as ApplyPatchToolCustomDataExtractor
    from agentctl.agent.tools.custom_data import FunctionToolCustomDataContext as FunctionToolCustomDataContext
    from agentctl.agent.tools.custom_data import FunctionToolCustomDataExtractor as FunctionToolCustomDataExtractor
    from agentctl.agent.tools.custom_tool import CustomTool as CustomTool
    from agentctl.agent.tools.custom_tool import CustomToolCustomDataContext as CustomToolCustomDataContext
    from agentctl.agent.tools.custom_tool import CustomToolCustomDataExtractor as CustomToolCustomDataExtractor
    from agentctl.agent.tools.error_formatter import ToolErrorFormatter as ToolErrorFormatter
    from agentctl.agent.tools.error_formatter import ToolErrorFormatterArgs as ToolErrorFormatterArgs
    from agentctl.agent.tools.function_schema import FuncSchema as FuncSchema
    from agentctl.agent.tools.function_schema import function_schema as function_schema
    from agentctl.agent.tools.function_tool import function_tool as function_tool
    from agentctl.agent.tools.guardrails import ToolGuardrailFunctionOutput as ToolGuardrailFunctionOutput
    from agentctl.agent.tools.guardrails import ToolInputGuardrail as ToolInputGuardrail
    from agentctl.agent.tools.guardrails import ToolInputGuardrailData as ToolInputGuardrailData
    from agentctl.agent.tools.guardrails import ToolInputGuardrailResult as ToolInputGuardrailResult
    from agentctl.agent.tools.guardrails import ToolOutputGuardrail as ToolOutputGuardrail
    from agentctl.agent.tools.guardrails import ToolOutputGuardrailData as ToolOutputGuardrailData
    from agentctl.agent.tools.guardrails import ToolOutputGuardrailResult as ToolOutputGuardrailResult
    from agentctl.agent.tools.guardrails import tool_input_guardrail as tool_input_guardrail
    from agentctl.agent.tools.guardrails import tool_output_guardrail as tool_output_guardrail
    from agentctl.agent.tools.hosted_tools import CodeInterpreterTool as CodeInterpreterTool
    from agentctl.agent.tools.hosted_tools import FileSearchTool as FileSearchTool
    from agentctl.agent.tools.hosted_tools import HostedMCPTool as HostedMCPTool
    from agentctl.agent.tools.hosted_tools import ImageGenerationTool as ImageGenerationTool
    from agentctl.agent.tools.hosted_tools import ImageGenerationToolConfig as ImageGenerationToolConfig
    from agentctl.agent.tools.hosted_tools import MCPToolApprovalFunction as MCPToolApprovalFunction
    from agentctl.agent.tools.hosted_tools import MCPToolApprovalFunctionResult as MCPToolApprovalFunctionResult
    from agentctl.agent.tools.hosted_tools import MCPToolApprovalRequest as MCPToolApprovalRequest
    from agentctl.agent.tools.hosted_tools import Tool as Tool
    from agentctl.agent.tools.hosted_tools import WebSearchTool as WebSearchTool
    from agentctl.agent.tools.hosted_tools import WebSearchToolImageSettings as WebSearchToolImageSettings
    from agentctl.agent.tools.shell import LocalShellCommandRequest as LocalShellCommandRequest
    from agentctl.agent.tools.shell import LocalShellExecutor as LocalShellExecutor
    from agentctl.agent.tools.shell import LocalShellTool as LocalShellTool
    from agentctl.agent.tools.shell import ShellActionRequest as ShellActionRequest
    from agentctl.agent.tools.shell import ShellCallData as ShellCallData
    from agentctl.agent.tools.shell import ShellCallOutcome as ShellCallOutcome
    from agentctl.agent.tools.shell import ShellCommandOutput as ShellCommandOutput
    from agentctl.agent.tools.shell import ShellCommandRequest as ShellCommandRequest
    from agentctl.agent.tools.shell import ShellExecutor as ShellExecutor
    from agentctl.agent.tools.shell import ShellResult as ShellResult
    from agentctl.agent.tools.shell import ShellTool as ShellTool
    from agentctl.agent.tools.shell import ShellToolContainerAutoEnvironment as ShellToolContainerAutoEnvironment
    from agentctl.agent.tools.shell import ShellToolContainerNetworkPolicy as ShellToolContainerNetworkPolicy
    from agentctl.agent.tools.shell import (
        ShellToolContainerNetworkPolicyAllowlist as ShellToolContainerNetworkPolicyAllowlist,
    )
    from agentctl.agent.tools.shell import (
        ShellToolContainerNetworkPolicyDisabled as ShellToolContainerNetworkPolicyDisabled,
    )
    from agentctl.agent.tools.shell import (
        ShellToolContainerNetworkPolicyDomainSecret as ShellToolContainerNetworkPolicyDomainSecret,
    )
    from agentctl.agent.tools.shell import (
        ShellToolContainerReferenceEnvironment as ShellToolContainerReferenceEnvironment,
    )
    from agentctl.agent.tools.shell import ShellToolContainerSkill as ShellToolContainerSkill
    from agentctl.agent.tools.shell import ShellToolEnvironment as ShellToolEnvironment
    from agentctl.agent.tools.shell import ShellToolHostedEnvironment as ShellToolHostedEnvironment
    from agentctl.agent.tools.shell import ShellToolInlineSkill as ShellToolInlineSkill
    from agentctl.agent.tools.shell import ShellToolInlineSkillSource as ShellToolInlineSkillSource
    from agentctl.agent.tools.shell import ShellToolLocalEnvironment as ShellToolLocalEnvironment
    from agentctl.agent.tools.shell import ShellToolLocalSkill as ShellToolLocalSkill
    from agentctl.agent.tools.shell import ShellToolSkillReference as ShellToolSkillReference
    from agentctl.agent.tools.tool import FunctionTool as FunctionTool
    from agentctl.agent.tools.tool import FunctionToolResult as FunctionToolResult
    from agentctl.agent.tools.tool import StopAtTools as StopAtTools
    from agentctl.agent.tools.tool import ToolErrorFunction as ToolErrorFunction
    from agentctl.agent.tools.tool import ToolOrigin as ToolOrigin
    from agentctl.agent.tools.tool import ToolOriginType as ToolOriginType
    from agentctl.agent.tools.tool import ToolsToFinalOutputFunction as ToolsToFinalOutputFunction
    from agentctl.agent.tools.tool import ToolsToFinalOutputResult as ToolsToFinalOutputResult
    from agentctl.agent.tools.tool import default_tool_error_function as default_tool_error_function
    from agentctl.agent.tools.tool_search import ToolSearchTool as ToolSearchTool
    from agentctl.agent.tools.tool_search import tool_namespace as tool_namespace
    from agentctl.agent.usage import InputTokensDetails as InputTokensDetails
    from agentctl.agent.usage import OutputTokensDetails as OutputTokensDetails
    from agentctl.agent.usage import RequestUsage as RequestUsage
    from agentctl.agent.usage import TransportUsage as TransportUsage
    from agentctl.agent.usage import Usage as Usage
    from agentctl.agent.wire import TResponseInputItem as TResponseInputItem
    from agentctl.agent.wire import TResponseOutputItem as TResponseOutputItem
    from agentctl.agent.wire import TResponseStreamEvent as TResponseStreamEvent
    from agentctl.errors import AgentsException as AgentsException
    from agentctl.errors import AuthenticationError as AuthenticationError
    from agentctl.errors import BudgetExceeded as BudgetExceeded
    from agentctl.errors import CassetteDifference as CassetteDifference
    from agentctl.errors import CassetteDrift as CassetteDrift
    from agentctl.errors import ConfigurationError as ConfigurationError
    from agentctl.errors import GuardrailTripwireTriggered as GuardrailTripwireTriggered
    from agentctl.errors import IncompleteStreamError as IncompleteStreamError
    from agentctl.errors import InputGuardrailTripwireTriggered as InputGuardrailTripwireTriggered
    from agentctl.errors import MaxTurnsExceeded as MaxTurnsExceeded
    from agentctl.errors import MCPToolCancellationError as MCPToolCancellationError
    from agentctl.errors import MissingKeyError as MissingKeyError
    from agentctl.errors import ModelBehaviorError as ModelBehaviorError
    from agentctl.errors import ModelRefusalError as ModelRefusalError
    from agentctl.errors import ModelTimeoutError as ModelTimeoutError
    from agentctl.errors import OutputGuardrailTripwireTriggered as OutputGuardrailTripwireTriggered
    from agentctl.errors import RequestRejectedError as RequestRejectedError
    from agentctl.errors import RunCancelled as RunCancelled
    from agentctl.errors import RunTimeoutError as RunTimeoutError
    from agentctl.errors import ServiceError as ServiceError
    from agentctl.errors import ServiceUnavailableError as ServiceUnavailableError
    from agentctl.errors import SessionInUseError as SessionInUseError
    from agentctl.errors import ToolInputGuardrailTripwireTriggered as ToolInputGuardrailTripwireTriggered
    from agentctl.errors import ToolOutputGuardrailTripwireTriggered as ToolOutputGuardrailTripwireTriggered
    from agentctl.errors import ToolTimeoutError as ToolTimeoutError
    from agentctl.errors import UserError as UserError
    from agentctl.log import enable_verbose_stdout_logging as enable_verbose_stdout_logging
    from agentctl.memory.openai_conversations_session import OpenAIConversationsSession as OpenAIConversationsSession
    from agentctl.memory.openai_responses_compaction_session import (
        OpenAIResponsesCompactionSession as OpenAIResponsesCompactionSession,
    )
    from agentctl.memory.sqlite_session import SQLiteSession as SQLiteSession
    from agentctl.models.multi_provider import MultiProvider as MultiProvider
    from agentctl.models.multi_provider import MultiProviderMap as MultiProviderMap
    from agentctl.models.openai_chatcompletions import OpenAIChatCompletionsModel as OpenAIChatCompletionsModel
    from agentctl.models.openai_provider import OpenAIProvider as OpenAIProvider
    from agentctl.models.openai_responses import OpenAIResponsesModel as OpenAIResponsesModel
    from agentctl.models.openai_responses_ws import OpenAIResponsesWSModel as OpenAIResponsesWSModel
    from agentctl.models.transport import OpenAIResponsesWebSocketOptions as OpenAIResponsesWebSocketOptions
    from agentctl.net.defaults import set_default_openai_api as set_default_openai_api
    from agentctl.net.defaults import set_default_openai_client as set_default_openai_client
    from agentctl.net.defaults import set_default_openai_key as set_default_openai_key
    from agentctl.net.defaults import set_default_openai_responses_transport as set_default_openai_responses_transport
    from agentctl.net.defaults import set_tracing_export_api_key as set_tracing_export_api_key
    from agentctl.run.demo_loop import run_demo_loop as run_demo_loop
    from agentctl.run.error_handlers import RunErrorData as RunErrorData
    from agentctl.run.error_handlers import RunErrorHandler as RunErrorHandler
    from agentctl.run.error_handlers import RunErrorHandlerInput as RunErrorHandlerInput
    from agentctl.run.error_handlers import RunErrorHandlerResult as RunErrorHandlerResult
    from agentctl.run.error_handlers import RunErrorHandlers as RunErrorHandlers
    from agentctl.run.input_filter import CallModelData as CallModelData
    from agentctl.run.input_filter import CallModelInputFilter as CallModelInputFilter
    from agentctl.run.input_filter import ModelInputData as ModelInputData
    from agentctl.run.prepare import preview_request as preview_request
    from agentctl.run.result import RunErrorDetails as RunErrorDetails
    from agentctl.run.result import RunResult as RunResult
    from agentctl.run.result import RunResultStreaming as RunResultStreaming
    from agentctl.run.runner import AgentRunner as AgentRunner
    from agentctl.run.runner import Runner as Runner
    from agentctl.run.state.run_state import RunState as RunState
    from agentctl.run.websocket_session import ResponsesWebSocketSession as ResponsesWebSocketSession
    from agentctl.run.websocket_session import responses_websocket_session as responses_websocket_session
    from agentctl.tracing.create import agent_span as agent_span
    from agentctl.tracing.create import custom_span as custom_span
    from agentctl.tracing.create import function_span as function_span
    from agentctl.tracing.create import gen_span_id as gen_span_id
    from agentctl.tracing.create import gen_trace_id as gen_trace_id
    from agentctl.tracing.create import generation_span as generation_span
    from agentctl.tracing.create import guardrail_span as guardrail_span
    from agentctl.tracing.create import handoff_span as handoff_span
    from agentctl.tracing.create import mcp_tools_span as mcp_tools_span
    from agentctl.tracing.create import response_span as response_span
    from agentctl.tracing.create import speech_group_span as speech_group_span
    from agentctl.tracing.create import speech_span as speech_span
    from agentctl.tracing.create import task_span as task_span
    from agentctl.tracing.create import trace as trace
    from agentctl.tracing.create import transcription_span as transcription_span
    from agentctl.tracing.create import turn_span as turn_span
    from agentctl.tracing.current import get_current_span as get_current_span
    from agentctl.tracing.current import get_current_trace as get_current_trace
    from agentctl.tracing.process import add_trace_processor as add_trace_processor
    from agentctl.tracing.process import flush_traces as flush_traces
    from agentctl.tracing.process import get_trace_provider as get_trace_provider
    from agentctl.tracing.process import set_trace_processors as set_trace_processors
    from agentctl.tracing.process import set_trace_provider as set_trace_provider
    from agentctl.tracing.process import set_tracing_disabled as set_tracing_disabled
    from agentctl.tracing.processor_interface import TracingProcessor as TracingProcessor
    from agentctl.tracing.span_data import AgentSpanData as AgentSpanData
    from agentctl.tracing.span_data import CustomSpanData as CustomSpanData
    from agentctl.tracing.span_data import FunctionSpanData as FunctionSpanData
    from agentctl.tracing.span_data import GenerationSpanData as GenerationSpanData
    from agentctl.tracing.span_data import GuardrailSpanData as GuardrailSpanData
    from agentctl.tracing.span_data import HandoffSpanData as HandoffSpanData
    from agentctl.tracing.span_data import MCPListToolsSpanData as MCPListToolsSpanData
    from agentctl.tracing.span_data import ResponseSpanData as ResponseSpanData
    from agentctl.tracing.span_data import SpanData as SpanData
    from agentctl.tracing.span_data import SpeechGroupSpanData as SpeechGroupSpanData
    from agentctl.tracing.span_data import SpeechSpanData as SpeechSpanData
    from agentctl.tracing.span_data import TaskSpanData as TaskSpanData
    from agentctl.tracing.span_data import TranscriptionSpanData as TranscriptionSpanData
    from agentctl.tracing.span_data import TurnSpanData as TurnSpanData
    from agentctl.tracing.spans import Span as Span
    from agentctl.tracing.spans import SpanError as SpanError
    from agentctl.tracing.spans import Trace as Trace
    from agentctl.version import __version__ as __version__

__getattr__, __dir__ = lazy_names(__name__)
