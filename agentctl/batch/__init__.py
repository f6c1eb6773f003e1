"""Batches: an agent run for each row of a table, durably, by processes that share a store; needs the extra `batch`."""

from typing import TYPE_CHECKING

from agentctl._lazy import lazy_names

if TYPE_CHECKING:
    from .library import BatchResult as BatchResult
    from .library import run_batch as run_batch

__getattr__, __dir__ = lazy_names(__name__)
