"""How a local model is best spoken to: what was measured on it, not what a run asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What a model is told where the run says nothing, and what it is not left to choose."""

    sampling: Mapping[str, float] = field(default_factory=dict)
    """Sampling settings."""
    text_sampling: Mapping[str, float] = field(default_factory=dict)
    """Further ones for free text; under a grammar they would do harm."""
    calls_in_a_row: bool = True
    """Whether it may choose another call after a tool's result; the smallest models would choose nothing else."""
