"""Sending traces and spans to the traces API, and printing them."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agentctl.errors import ConfigurationError, ServiceUnavailableError
from agentctl.log import logger
from agentctl.net.defaults import tracing_export_key
from agentctl.net.options import HttpOptions
from agentctl.origin import origin_of
from agentctl.redaction import redact, register_secret

from .environment import ENDPOINT
from .ingest import as_json, ingestable
from .processor_interface import TracingExporter

if TYPE_CHECKING:
    from agentctl.net.post import PostPipe, PostResult

    from .spans import Span, Trace

_TRY_AGAIN = frozenset({408, 409, 429})
PATIENCE = HttpOptions(connect_timeout=10, request_timeout=60)
"""How long each attempt may take."""


class BackendSpanExporter(TracingExporter):
    """Posts traces and spans to the traces API; what cannot be sent is dropped, counted, and logged.

    It runs in the thread of a batch processor, so that its waits hold up nobody. Secrets are masked, what JSON does not
    know is said as text, and what OpenAI's own endpoint would refuse is cut. Without a key nothing is sent.
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
        options: HttpOptions = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take where to send, as whom, and how often each request is tried: `max_retries` times in all."""
        register_secret(api_key)
        self._api_key = api_key
        self.organization = organization or os.environ.get("OPENAI_ORG_ID")
        self.project = project or os.environ.get("OPENAI_PROJECT_ID")
        self.endpoint = endpoint
        self.max_retries = max_retries
        self.base_delay = base_delay
        self.max_delay = max_delay
        self.exported = 0
        """How many traces and spans the service has taken."""
        self.dropped = 0
        """How many were not sent, or refused."""
        self._options = options
        self._sleep = sleep
        self._pipe: PostPipe | None = None
        self._has_missed_key = False
        self._is_of_openai = origin_of(endpoint) == origin_of(ENDPOINT)

    @property
    def api_key(self) -> str | None:
        """What is sent with, where a trace has no key of its own: the one given, else that of the process."""
        return self._api_key or tracing_export_key(self.endpoint, os.environ)

    def set_api_key(self, api_key: str) -> None:
        """Send with this key from now on."""
        register_secret(api_key)
        self._api_key = api_key

    def export(self, items: list[Trace | Span[Any]]) -> None:
        """Send traces and spans, in one request for each key that they are to be sent with; never raises."""
        by_key: dict[str | None, list[dict[str, Any]]] = {}
        for item in items:
            if exported := item.export():
                by_key.setdefault(item.tracing_api_key, []).append(exported)
        for own_key, exported_items in by_key.items():
            key = own_key or self.api_key
            if key is not None:
                self._send(exported_items, key)
            elif not self._has_missed_key:
                self._has_missed_key = True
                logger.debug("traces are not exported: there is no key for that, such as OPENAI_API_KEY")

    def close(self) -> None:
        """Close the connection; a later export opens another."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()

    def _send(self, items: list[dict[str, Any]], key: str) -> None:
        fitted = [ingestable(item) for item in items] if self._is_of_openai else items
        body = redact(as_json({"data": fitted})).encode()
        headers = {"authorization": f"Bearer {key}", "openai-beta": "traces=v1"}
        if self.organization:
            headers["openai-organization"] = self.organization
        if self.project:
            headers["openai-project"] = self.project
        delay = self.base_delay
        for tries_left in reversed(range(self.max_retries)):
            asked = None
            try:
                answer = self._post(body, headers)
            except ServiceUnavailableError as error:
                problem = str(error)
            except (ConfigurationError, UnicodeError) as error:
                self._drop(items, f"traces cannot be exported: {error}")
                return
            else:
                if 200 <= answer.status < 300:
                    self.exported += len(items)
                    return
                problem, asked = f"{self.endpoint} answered {answer.status}", answer.retry_after
                if answer.status not in _TRY_AGAIN and answer.status < 500:
                    self._drop(items, f"the service refused traces: {problem}")
                    return
            if tries_left:
                self._sleep(min(asked or delay, self.max_delay) * (1 + 0.1 * random.random()))  # noqa: S311  # no secret
                delay = min(2 * delay, self.max_delay)
        self._drop(items, f"traces were not exported in {self.max_retries} attempts: {problem}")

    def _post(self, body: bytes, headers: dict[str, str]) -> PostResult:
        if self._pipe is None:
            # 80 ms: imported for the first export.
            from agentctl.net.post import PostPipe

            self._pipe = PostPipe(self.endpoint, self._options)
        return self._pipe.post(body, headers)

    def _drop(self, items: list[dict[str, Any]], why: str) -> None:
        """Count what is lost, and say why the first time."""
        if not self.dropped:
            logger.error("%s; the run goes on, its traces are dropped", redact(why))
        self.dropped += len(items)


class ConsoleSpanExporter(TracingExporter):
    """Prints traces and spans to stdout, one line of JSON each, secrets masked.

    What models and tools take and give is shown only where OPENAI_AGENTS_DONT_LOG_MODEL_DATA and
    OPENAI_AGENTS_DONT_LOG_TOOL_DATA are 0, as in logs.
    """

    def export(self, items: list[Trace | Span[Any]]) -> None:
        """Print traces and spans."""
        for item in items:
            if exported := item.export():
                sys.stdout.write(f"{redact(as_json(_without_data(exported)))}\n")


def _without_data(exported: dict[str, Any]) -> dict[str, Any]:
    data = exported.get("span_data")
    if not isinstance(data, dict):
        return exported
    variable = f"OPENAI_AGENTS_DONT_LOG_{'TOOL' if data.get('type') == 'function' else 'MODEL'}_DATA"
    if os.environ.get(variable, "").strip().lower() in ("0", "false"):
        return exported
    shown = {name: value for name, value in data.items() if name not in ("input", "output", "data")}
    return {**exported, "span_data": shown}
