"""What a plain `agentctl run` imports, and for how long: `python -m tests.benchmarks.imports [websocket]`.

The modules that the floor imports as well are left out: what remains is ours, or wanted by us. Times are the least of
several processes, in milliseconds, with what `-X importtime` itself costs; a package is the sum of its modules.
"""

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.benchmarks.quick_client import running_quick_service

PROCESSES = 7
LEAST = 0.2
"""Milliseconds below which a module is not named."""
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
_FLOORS = {"http": "httpx2_stream.py", "websocket": "websockets_stream.py"}


def import_times(command: list[str], environ: dict[str, str]) -> dict[str, float]:
    """Return the milliseconds that each module takes, without those that it imports."""
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(PROCESSES):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *command], env=environ, capture_output=True, text=True, check=True
        )
        for microseconds, name in _LINE.findall(done.stderr):
            times[name].append(int(microseconds) / 1000)
    return {name: min(each) for name, each in times.items()}


def main(transport: str) -> None:
    """Print the packages, then the modules, slowest first."""
    command = [str(Path(sys.executable).with_name("agentctl")), "run", "--transport", transport, "Hi"]
    floor = str(Path(__file__).parent / "floors" / _FLOORS[transport])
    with running_quick_service() as url, tempfile.TemporaryDirectory() as home:
        environ = {"HOME": home, "OPENAI_API_KEY": "sk-benchmark", "OPENAI_BASE_URL": url}
        ours, theirs = import_times(command, environ), import_times([floor], environ)
    extra = {name: time for name, time in ours.items() if name not in theirs}
    packages: dict[str, list[float]] = defaultdict(list)
    for name, time in extra.items():
        packages[".".join(name.split(".")[:2]) if name.startswith("agentctl.") else name.split(".")[0]].append(time)
    print(f"{sum(ours.values()):8.1f} ms in {len(ours)} modules; the floor's: {sum(theirs.values()):.1f} ms")
    print(f"{sum(extra.values()):8.1f} ms in {len(extra)} modules that the floor does not import:")
    for name, times in sorted(packages.items(), key=lambda one: -sum(one[1])):
        if sum(times) >= LEAST:
            print(f"{sum(times):8.1f} ms {len(times):4} {name}")
    print()
    for name, time in sorted(extra.items(), key=lambda one: -one[1]):
        if time >= LEAST:
            print(f"{time:8.2f} ms {name}")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["http"]))
