"""Models, and the providers that create them by name: a lazy facade."""

from typing import TYPE_CHECKING

from agentctl._lazy import lazy_names

if TYPE_CHECKING:
    from agentctl.agent.default_model import get_default_model as get_default_model
    from agentctl.agent.default_model import get_default_model_settings as get_default_model_settings
    from agentctl.agent.default_model import gpt_5_reasoning_settings_required as gpt_5_reasoning_settings_required
    from agentctl.agent.default_model import is_gpt_5_default as is_gpt_5_default
    from agentctl.agent.ports import Model as Model
    from agentctl.agent.ports import ModelProvider as ModelProvider
    from agentctl.agent.ports import ModelTracing as ModelTracing
    from agentctl.net.options import HttpOptions as HttpOptions

    from .multi_provider import MultiProvider as MultiProvider
    from .multi_provider import MultiProviderMap as MultiProviderMap
    from .openai_chatcompletions import OpenAIChatCompletionsModel as OpenAIChatCompletionsModel
    from .openai_provider import OpenAIProvider as OpenAIProvider
    from .openai_responses import OpenAIResponsesModel as OpenAIResponsesModel
    from .openai_responses_ws import OpenAIResponsesWSModel as OpenAIResponsesWSModel
    from .transport import OpenAIResponsesWebSocketOptions as OpenAIResponsesWebSocketOptions

__getattr__, __dir__ = lazy_names(__name__)
