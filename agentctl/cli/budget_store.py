"""The store of the user's budgets, for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.errors import ConfigurationError
from agentctl.profile.load import NO_HOME, find_paths

from .invocation import Invocation

if TYPE_CHECKING:
    from agentctl.budgets.sqlite_store import SQLiteBudgets


def budget_store(invocation: Invocation) -> SQLiteBudgets:
    """Return the store of the user's budgets.

    Raises:
        ConfigurationError: there is no folder for it.
    """
    # 10 ms, needed only for a budget.
    from agentctl.budgets.sqlite_store import SQLiteBudgets

    folders = find_paths(invocation.environ, invocation.config).folders
    if folders is None:
        raise ConfigurationError(f"there are no budgets: {NO_HOME}")
    return SQLiteBudgets.of_user(folders)
