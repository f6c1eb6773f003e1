"""Fixtures of the tests of chat completions."""

from tests.local_weights import weights_file

__all__ = ["weights_file"]
