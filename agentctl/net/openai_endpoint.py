"""The endpoint of an OpenAI provider: from its own options, else the defaults, else the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.origin import OPENAI_BASE_URL, http_form, origin_of

from .defaults import Defaults
from .endpoint import Endpoint

if TYPE_CHECKING:
    from .endpoint import KeySource


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions:
    """The options of a provider's endpoint; None if not given."""

    api_key: str | KeySource | None = field(default=None, repr=False)
    base_url: str | None = None
    websocket_base_url: str | None = None
    organization: str | None = None
    project: str | None = None

    @property
    def is_empty(self) -> bool:
        """True if no option was given."""
        return self == EndpointOptions()


def choose_base_url(options: EndpointOptions, environ: Mapping[str, str] = os.environ) -> str:
    """Return the base URL of HTTP requests."""
    return options.base_url or _base_url(environ)


def http_endpoint(options: EndpointOptions, defaults: Defaults, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Return the endpoint of HTTP requests.

    Raises:
        ConfigurationError: the base URL is invalid, or the key cannot be sent.
    """
    return _endpoint(options, choose_base_url(options, environ), defaults, environ)


def websocket_endpoint(
    options: EndpointOptions, defaults: Defaults, environ: Mapping[str, str] = os.environ
) -> Endpoint:
    """Return the endpoint of sockets, in http form; OPENAI_WEBSOCKET_BASE_URL never overrides a given base URL.

    Raises:
        ConfigurationError: the base URL is invalid, or the key cannot be sent.
    """
    base_url = options.websocket_base_url or options.base_url or _websocket_base_url(environ) or _base_url(environ)
    return _endpoint(options, http_form(base_url), defaults, environ)


def _endpoint(options: EndpointOptions, base_url: str, defaults: Defaults, environ: Mapping[str, str]) -> Endpoint:
    key = options.api_key
    if key is None and origin_of(base_url) in _default_origins(environ):
        key = defaults.openai_key or _variable(environ, "OPENAI_API_KEY")
    return Endpoint(
        base_url=base_url,
        key=key,
        organization=options.organization or _variable(environ, "OPENAI_ORG_ID"),
        project=options.project or _variable(environ, "OPENAI_PROJECT_ID"),
    )


def _default_origins(environ: Mapping[str, str]) -> set[str]:
    """Return the origins for which a key without an endpoint of its own is valid."""
    urls = (OPENAI_BASE_URL, _base_url(environ), http_form(_websocket_base_url(environ) or OPENAI_BASE_URL))
    return {origin_of(url) for url in urls}


def _base_url(environ: Mapping[str, str]) -> str:
    return _variable(environ, "OPENAI_BASE_URL") or OPENAI_BASE_URL


def _websocket_base_url(environ: Mapping[str, str]) -> str | None:
    return _variable(environ, "OPENAI_WEBSOCKET_BASE_URL")


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name, "").strip() or None
