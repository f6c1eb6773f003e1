"""The key under which OpenAI's service caches the prompts of a run, the same for all its calls."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

from agentctl.agent.ports import ModelRequest

if TYPE_CHECKING:
    from .active_run import ActiveRun

_NAME = "prompt_cache_key"


def with_cache_key(request: ModelRequest, run: ActiveRun) -> ModelRequest:
    """Return a request with the key of the run, unless the user set one."""
    settings = request.model_settings
    if _NAME in (settings.extra_args or {}) or _NAME in (settings.extra_body or {}):
        return request
    if run.cache_key is None:
        run.cache_key = _make_key(run)
    extra_args = {**(settings.extra_args or {}), _NAME: run.cache_key}
    return replace(request, model_settings=settings.with_values(extra_args=extra_args))


def _make_key(run: ActiveRun) -> str:
    """Return a key that is shared by the runs of a conversation, a session or a group, in this order."""
    memory = run.spec.memory
    for kind, name in (
        ("conversation", run.history.conversation_id),
        ("session", None if memory is None else memory.session_id),
        ("group", run.config.group_id),
    ):
        if name is not None and name.strip():
            return f"agents-sdk:{kind}:{sha256(name.strip().encode('utf-8', 'replace')).hexdigest()[:32]}"
    return f"agents-sdk:run:{uuid4().hex}"
