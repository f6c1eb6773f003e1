"""The provider of models that a Responses endpoint serves: OpenAI's, or any that speaks the same API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentctl.agent.ports import ModelProvider
from agentctl.net.endpoint import OPENAI_BASE_URL, Endpoint, origin_of
from agentctl.net.options import HttpOptions

from .default_model import get_default_model

if TYPE_CHECKING:
    from agentctl.net.http import HttpPipe
    from agentctl.net.key_source import KeySource

    from .responses.http import ResponsesHTTPModel


class OpenAIProvider(ModelProvider):
    """Makes models that speak the Responses API; they share one connection pool and are kept by name."""

    def __init__(
        self,
        *,
        api_key: str | KeySource | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        http_options: HttpOptions | None = None,
    ) -> None:
        """Take what is given; the environment answers for the rest when the first model is asked for.

        OPENAI_API_KEY counts for OpenAI's own origin and that of OPENAI_BASE_URL; any other `base_url` needs its own
        `api_key`, or `"none"`.
        """
        self._api_key = api_key
        self._base_url = base_url
        self._organization = organization
        self._project = project
        self._options = http_options or HttpOptions()
        self._pipe: HttpPipe | None = None
        self._models: dict[str, ResponsesHTTPModel] = {}

    def get_model(self, model_name: str | None) -> ResponsesHTTPModel:
        """Return the model of this name, None meaning OPENAI_DEFAULT_MODEL, then the default of this library.

        Raises:
            ConfigurationError: the endpoint, a proxy or a certificate file is not usable.
        """
        name = get_default_model() if model_name is None else model_name
        if name not in self._models:
            from .responses.http import ResponsesHTTPModel

            self._models[name] = ResponsesHTTPModel(name, self._shared_pipe())
        return self._models[name]

    async def aclose(self) -> None:
        """Close the connections; the models may be used again."""
        if self._pipe is not None:
            await self._pipe.aclose()

    def _shared_pipe(self) -> HttpPipe:
        if self._pipe is None:
            from agentctl.net.http import HttpPipe

            self._pipe = HttpPipe(self._endpoint(), self._options)
        return self._pipe

    def _endpoint(self) -> Endpoint:
        base_url = self._base_url or _from_environment("OPENAI_BASE_URL") or OPENAI_BASE_URL
        return Endpoint(
            base_url=base_url,
            key=self._api_key or _environment_key(base_url),
            organization=self._organization or _from_environment("OPENAI_ORG_ID"),
            project=self._project or _from_environment("OPENAI_PROJECT_ID"),
        )


def _environment_key(base_url: str) -> str | None:
    its_homes = {origin_of(OPENAI_BASE_URL), origin_of(_from_environment("OPENAI_BASE_URL") or OPENAI_BASE_URL)}
    return _from_environment("OPENAI_API_KEY") if origin_of(base_url) in its_homes else None


def _from_environment(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None
