"""The trace spans of a run."""
