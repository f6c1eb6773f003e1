"""Fixtures of the tests of batches."""

from collections.abc import Iterator

import pytest

from tests.batch.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; the tests that need it skip where it is not installed."""
    server = PostgresServer()
    yield server
    server.close()
