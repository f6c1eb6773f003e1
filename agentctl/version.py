"""The version of agentctl and of its machine documents, the one place that says them."""

__version__ = "0.1.0"

SCHEMA_VERSION = "1-draft"
"""The version of every machine document; it becomes a number when the schema is frozen."""
