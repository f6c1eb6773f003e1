"""Puts our alias in force in each process that starts with this folder on its path."""

import agentctl.compat as compat

__all__ = ["compat"]
