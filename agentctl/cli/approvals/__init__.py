"""Calls that need somebody's yes: rules for them, the question on the terminal, and the tickets of runs that wait."""
