"""Budgets that processes share: their store, the highest cost of a model call, and the limiter of a run's calls."""
