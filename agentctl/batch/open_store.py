"""Opening of a store; loads SQLAlchemy, which comes with the extra `batch`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentctl.errors import ConfigurationError
from agentctl.packages import BATCH, install_command

from .address import StoreAddress

if TYPE_CHECKING:
    from .store import BatchStore


@contextmanager
def open_store(address: StoreAddress) -> Iterator[BatchStore]:
    """Open a store for the block.

    Raises:
        ConfigurationError: the extra is not installed, or the store cannot be used.
    """
    require_extra()
    from .store import BatchStore, connect, explain_store

    engine = connect(address)
    try:
        with explain_store(address):
            yield BatchStore(address, engine)
    finally:
        engine.dispose()


def require_extra() -> None:
    """Check that DBOS is installed, without importing it.

    Raises:
        ConfigurationError: it is not.
    """
    from importlib.util import find_spec

    if find_spec("dbos") is None:
        raise ConfigurationError(f"batches need DBOS: `{install_command(BATCH)}`")
