"""The runtime's own HTTP server, which others wrote: an independent service for our HTTP models."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

KEY = "sk-only-for-this-server"


@contextlib.contextmanager
def own_server(weights_file: Path) -> Iterator[str]:
    """Serve the weights on loopback until the block ends; gives the base URL."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights_file)
    params.n_ctx = 512
    params.n_parallel = 1
    params.verbosity = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.port = 0
    params.api_keys = [KEY]
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server
