"""Fixtures of the local model's tests."""

from tests.local_weights import local_home, weights_file

__all__ = ["local_home", "weights_file"]
