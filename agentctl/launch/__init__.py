"""The composition root: the one room that joins what the user decided, the definitions and the engine."""
