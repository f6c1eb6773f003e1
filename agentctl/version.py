"""The versions of agentctl and of its machine output, defined only here."""

__version__ = "0.1.0"

SCHEMA_VERSION = 1
"""The version in every machine document: within it, later releases only add what is optional."""
