"""Cassettes: runs that are recorded at the seams of their models and tools, and replayed without either."""
