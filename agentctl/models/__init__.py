"""Models and the providers that find them by name: a lazy facade."""

from typing import TYPE_CHECKING

from agentctl._lazy import exporter

if TYPE_CHECKING:
    from agentctl.agent.ports import Model as Model
    from agentctl.agent.ports import ModelProvider as ModelProvider
    from agentctl.agent.ports import ModelTracing as ModelTracing
    from agentctl.net.options import HttpOptions as HttpOptions

    from .default_model import get_default_model as get_default_model
    from .multi_provider import MultiProvider as MultiProvider
    from .multi_provider import MultiProviderMap as MultiProviderMap
    from .openai_provider import OpenAIProvider as OpenAIProvider

__getattr__, __dir__, __all__ = exporter(
    __name__,
    {
        "HttpOptions": "agentctl.net.options",
        "Model": "agentctl.agent.ports",
        "ModelProvider": "agentctl.agent.ports",
        "ModelTracing": "agentctl.agent.ports",
        "MultiProvider": "agentctl.models.multi_provider",
        "MultiProviderMap": "agentctl.models.multi_provider",
        "OpenAIProvider": "agentctl.models.openai_provider",
        "get_default_model": "agentctl.models.default_model",
    },
)
