"""Runs scenarios, and normalises what they print."""

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.cli.process import read_until, started
from tests.cli.terminal import Terminal
from tests.conformance.scenarios import FILES, Scenario
from tests.conftest import is_foreign
from tests.service.client import Service
from tests.warm import starts_for

_ROOT = Path(__file__).parent.parent.parent


def play(scenario: Scenario, service: Service) -> str:
    """Run a scenario in a folder of its own, and return its output, normalised."""
    service.reset()
    service.script(*scenario.steps)
    service.script_upgrades(*scenario.upgrades)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        home = Path(folder).resolve()
        for name, content in FILES.items():
            (home / name).write_text(content)
        env = {name: value for name, value in os.environ.items() if not is_foreign(name)}
        env |= {"HOME": folder, "AGENTCTL_HOME": str(home / ".agentctl"), "OPENAI_BASE_URL": service.base_url}
        if scenario.needs_key:
            env["OPENAI_API_KEY"] = "sk-conformance-0123456789"
        for arguments in scenario.before:
            done = _run(arguments, env, home)
            assert done.returncode in (0, 84), done.stderr
        env |= {name: value.replace("ORIGIN", service.base_url) for name, value in scenario.env.items()}
        output, code, errors = _play(scenario, env, home)
        assert code == scenario.exit_code, f"{scenario.arguments} ended with {code}: {errors}\n{output}"
        if scenario.saved is not None:
            output = (home / scenario.saved[1]).read_text("utf-8")
        return _normalise(output, home, service)


def _play(scenario: Scenario, env: Mapping[str, str], home: Path) -> tuple[str, int, str]:
    if scenario.typed is not None:
        with Terminal(*scenario.arguments, env=env, folder=home) as terminal:
            terminal.type(scenario.typed)
            code = terminal.end()
        return "", code, terminal.text
    if scenario.stop is None:
        done = _run(scenario.arguments, env, home)
        return done.stdout, done.returncode, done.stderr
    with started(*scenario.arguments, env={**env}, cwd=home) as process:
        data = read_until(process, scenario.stop.after)
        if scenario.stop.by == "reader":
            assert process.stdout is not None
            process.stdout.close()
            return data[: data.rindex(b"\n") + 1].decode(), process.wait(60), ""
        process.send_signal(scenario.stop.by)
        rest, errors = process.communicate(timeout=60)
        return (data + rest).decode(), process.wait(), errors.decode()


def _run(arguments: tuple[str, ...], env: Mapping[str, str], home: Path) -> "subprocess.CompletedProcess[str]":
    if warm := starts_for(env):
        return warm.run(arguments, env=env, input="", timeout=120, cwd=home)
    command = [sys.executable, "-m", "agentctl", *arguments]
    return subprocess.run(
        command, env=env, input="", timeout=120, cwd=home, capture_output=True, text=True, encoding="utf-8"
    )


def _normalise(output: str, home: Path, service: Service) -> str:
    """Return output with fixed values for what differs from run to run."""
    ids: dict[str, str] = {}

    def fixed(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], f"{len(ids) + 1:0{len(found[0])}x}")

    names = {
        str(home): "/home/user",
        sys.prefix: "/usr/lib/agentctl",
        str(_ROOT): "/usr/src/agentctl",
        f"127.0.0.1:{service.port}": "127.0.0.1:8000",
        platform.platform(): "Linux",
    }
    for name, other in names.items():
        output = output.replace(name, other)
    output = re.sub(r"(?<![0-9a-f.])[0-9a-f]{16,64}(?![0-9a-f])", fixed, output)
    output = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "2026-01-01T00:00:00", output)
    output = re.sub(r"(T00:00:00\.)(\d+)Z", lambda found: f"{found[1]}{'0' * len(found[2])}Z", output)
    output = re.sub(r'("(?:\w+_)?seconds": )[\d.e-]+', r"\g<1>0.5", output)
    return re.sub(r"\b\d+ ms\b", "1 ms", output)
