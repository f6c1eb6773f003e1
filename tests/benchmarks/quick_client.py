"""The benchmarks' side of the quick service: starts it, and knows what it says."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TEXT = "".join(f"word{number} " for number in range(20))
"""What the service answers where it calls no function."""

_ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def running_quick_service() -> Iterator[str]:
    """Run the service in a process of its own until the block ends, and give its base URL."""
    command = [sys.executable, "-m", "tests.benchmarks.quick_service"]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the quick service did not start"
        try:
            yield f"http://127.0.0.1:{json.loads(line)['port']}/v1"
        finally:
            process.communicate()
