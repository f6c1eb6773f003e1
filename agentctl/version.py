"""The versions of agentctl and of its machine output, defined only here."""

__version__ = "0.1.0"

SCHEMA_VERSION = "1-draft"
"""The version in every machine document; it becomes a number when the schema is frozen."""
