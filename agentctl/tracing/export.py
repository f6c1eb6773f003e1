"""Exporters that send traces and spans to the traces API or print them."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agentctl.errors import ConfigurationError, ServiceError
from agentctl.grammar import count
from agentctl.log import tracing_logger as logger
from agentctl.net.defaults import tracing_export_key
from agentctl.net.options import HttpOptions
from agentctl.origin import origin_of
from agentctl.redaction import redact, redact_data, register_secret

from .environment import ENDPOINT
from .ingest import as_json, prepare_for_ingest
from .processor_interface import TracingExporter

if TYPE_CHECKING:
    from agentctl.net.post import PostPipe, PostResult

    from .spans import Span, Trace

_RETRYABLE = frozenset({408, 409, 429})
EXPORT_OPTIONS = HttpOptions(connect_timeout=10, request_timeout=60)
"""Timeouts of each attempt."""


class BackendSpanExporter(TracingExporter):
    """Sends traces and spans to the traces API; items that cannot be sent are dropped, counted, and logged.

    It runs in the thread of a batch processor, so that its delays block nothing else. Secrets are redacted, values
    outside JSON become strings, and values that OpenAI's own endpoint would reject are truncated. Without a key nothing
    is sent.
    """

    def __init__(
        self,
        api_key: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        endpoint: str = ENDPOINT,
        max_retries: int = 3,
        base_delay: float = 1.0,
        max_delay: float = 30.0,
        *,
        options: HttpOptions = EXPORT_OPTIONS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Set endpoint, credentials and retries; `max_retries` is the total number of attempts per request."""
        register_secret(api_key)
        self._api_key = api_key
        self.organization = organization or os.environ.get("OPENAI_ORG_ID")
        self.project = project or os.environ.get("OPENAI_PROJECT_ID")
        self.endpoint = endpoint
        self.max_retries = max_retries
        self.base_delay = base_delay
        self.max_delay = max_delay
        self.exported = 0
        """Number of traces and spans that the service has accepted."""
        self.dropped = 0
        """Number of traces and spans that were not sent or were rejected."""
        self._options = options
        self._sleep = sleep
        self._pipe: PostPipe | None = None
        self._has_logged_missing_key = False
        self._is_openai_endpoint = origin_of(endpoint) == origin_of(ENDPOINT)

    @property
    def api_key(self) -> str | None:
        """The key for traces without one of their own: the given one, else the process's."""
        return self._api_key or tracing_export_key(self.endpoint, os.environ)

    def set_api_key(self, api_key: str) -> None:
        """Use this key for further requests."""
        register_secret(api_key)
        self._api_key = api_key

    def export(self, items: list[Trace | Span[Any]]) -> None:
        """Send traces and spans, in one request per key; never raises."""
        by_key: dict[str | None, list[dict[str, Any]]] = {}
        for item in items:
            if exported := item.export():
                by_key.setdefault(item.tracing_api_key, []).append(exported)
        for own_key, exported_items in by_key.items():
            key = own_key or self.api_key
            if key is not None:
                self._send(exported_items, key)
            elif not self._has_logged_missing_key:
                self._has_logged_missing_key = True
                logger.debug("traces are not exported: no key is set (OPENAI_API_KEY)")

    def close(self) -> None:
        """Close the connection; a later export opens a new one."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()

    def _send(self, items: list[dict[str, Any]], key: str) -> None:
        prepared = [prepare_for_ingest(item) for item in items] if self._is_openai_endpoint else items
        body = as_json(redact_data({"data": [*prepared]})).encode()
        headers = {"authorization": f"Bearer {key}", "openai-beta": "traces=v1"}
        if self.organization:
            headers["openai-organization"] = self.organization
        if self.project:
            headers["openai-project"] = self.project
        delay = self.base_delay
        for attempts_left in reversed(range(self.max_retries)):
            retry_after = None
            try:
                response = self._post(body, headers)
            except ServiceError as error:
                problem = str(error)
            except (ConfigurationError, UnicodeError) as error:
                self._drop(items, f"cannot export traces: {error}")
                return
            else:
                if 200 <= response.status < 300:
                    self.exported += len(items)
                    return
                problem, retry_after = f"{self.endpoint} answered {response.status}", response.retry_after
                if response.status not in _RETRYABLE and response.status < 500:
                    self._drop(items, f"the service rejected traces: {problem}")
                    return
            if attempts_left:
                jitter = 1 + 0.1 * random.random()  # noqa: S311  # not a secret
                self._sleep(min(retry_after or delay, self.max_delay) * jitter)
                delay = min(2 * delay, self.max_delay)
        self._drop(items, f"traces were not exported in {count(self.max_retries, 'attempt')}: {problem}")

    def _post(self, body: bytes, headers: dict[str, str]) -> PostResult:
        if self._pipe is None:
            # 80 ms: imported on the first export.
            from agentctl.net.post import PostPipe

            self._pipe = PostPipe(self.endpoint, self._options)
        return self._pipe.post(body, headers)

    def _drop(self, items: list[dict[str, Any]], reason: str) -> None:
        """Count lost items, and log the reason the first time."""
        if not self.dropped:
            logger.error("%s; the run continues, and its traces are dropped", redact(reason))
        self.dropped += len(items)


class ConsoleSpanExporter(TracingExporter):
    """Prints traces and spans to stdout, one line of JSON each, with secrets redacted.

    Inputs and outputs of models and tools are printed only if OPENAI_AGENTS_DONT_LOG_MODEL_DATA and
    OPENAI_AGENTS_DONT_LOG_TOOL_DATA are 0, as in logs.
    """

    def export(self, items: list[Trace | Span[Any]]) -> None:
        """Print traces and spans."""
        for item in items:
            if exported := item.export():
                sys.stdout.write(f"{as_json(redact_data(_without_data(exported)))}\n")


def _without_data(exported: dict[str, Any]) -> dict[str, Any]:
    data = exported.get("span_data")
    if not isinstance(data, dict):
        return exported
    variable = f"OPENAI_AGENTS_DONT_LOG_{'TOOL' if data.get('type') == 'function' else 'MODEL'}_DATA"
    if os.environ.get(variable, "").strip().lower() in ("0", "false"):
        return exported
    kept = {name: value for name, value in data.items() if name not in ("input", "output", "data")}
    return {**exported, "span_data": kept}
