"""Where an OpenAI provider sends requests, and with which key: as told, else by default, else by the environment."""

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
    """What a provider was told of its endpoint; None is what it was not told."""

    api_key: str | KeySource | None = field(default=None, repr=False)
    base_url: str | None = None
    websocket_base_url: str | None = None
    organization: str | None = None
    project: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it was told nothing at all."""
        return self == EndpointOptions()


def http_endpoint(given: EndpointOptions, defaults: Defaults, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Return where HTTP requests go.

    Raises:
        ConfigurationError: the base URL is not usable, or the key cannot be sent.
    """
    return _endpoint(given, given.base_url or _base_url(environ), defaults, environ)


def websocket_endpoint(given: EndpointOptions, defaults: Defaults, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Return where sockets lead, in http form; OPENAI_WEBSOCKET_BASE_URL never overrides a base URL that was given.

    Raises:
        ConfigurationError: the base URL is not usable, or the key cannot be sent.
    """
    base_url = given.websocket_base_url or given.base_url or _websocket_base_url(environ) or _base_url(environ)
    return _endpoint(given, http_form(base_url), defaults, environ)


def _endpoint(given: EndpointOptions, base_url: str, defaults: Defaults, environ: Mapping[str, str]) -> Endpoint:
    key = given.api_key
    if key is None and origin_of(base_url) in _homes(environ):
        key = defaults.openai_key or _variable(environ, "OPENAI_API_KEY")
    return Endpoint(
        base_url=base_url,
        key=key,
        organization=given.organization or _variable(environ, "OPENAI_ORG_ID"),
        project=given.project or _variable(environ, "OPENAI_PROJECT_ID"),
    )


def _homes(environ: Mapping[str, str]) -> set[str]:
    """Return the origins that a key without an endpoint of its own counts for."""
    urls = (OPENAI_BASE_URL, _base_url(environ), http_form(_websocket_base_url(environ) or OPENAI_BASE_URL))
    return {origin_of(url) for url in urls}


def _base_url(environ: Mapping[str, str]) -> str:
    return _variable(environ, "OPENAI_BASE_URL") or OPENAI_BASE_URL


def _websocket_base_url(environ: Mapping[str, str]) -> str | None:
    return _variable(environ, "OPENAI_WEBSOCKET_BASE_URL")


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name, "").strip() or None
