"""Very many requests at once: their connections are bounded, and the others wait in order."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.http import HttpCall, HttpPipe
from agentctl.net.http_pool import max_connections
from agentctl.net.options import HttpOptions
from tests.service.client import Service

MANY_RUNS = """
import asyncio, json, resource, sys

limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

from agentctl import Agent, RunConfig, Runner, set_tracing_disabled
from agentctl.models.openai_provider import OpenAIProvider

set_tracing_disabled(True)

async def main():
    provider = OpenAIProvider(base_url=sys.argv[1], api_key="none")
    config = RunConfig(model_provider=provider)
    agent = Agent(name="a", model="m")
    runs = [Runner.run(agent, "hi", run_config=config) for _ in range(int(sys.argv[3]))]
    results = await asyncio.gather(*runs, return_exceptions=True)
    await provider.aclose()
    failed = [repr(result) for result in results if isinstance(result, BaseException)]
    return {"failed": failed, "outputs": len(results) - len(failed)}

print(json.dumps(asyncio.run(main())))
"""


def test_calls_at_once_share_a_bounded_number_of_connections() -> None:
    peaks: list[int] = []

    async def scenario() -> int:
        opened = 0

        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal opened
            opened += 1
            peaks.append(opened)
            try:
                while (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET"):
                    await asyncio.sleep(0.001)
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            except asyncio.IncompleteReadError:
                pass
            finally:
                opened -= 1
                writer.close()

        async with await asyncio.start_server(respond, "127.0.0.1", 0, backlog=1000) as server:
            base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            pipe = HttpPipe(Endpoint(base_url=base_url, key=NO_KEY), HttpOptions(max_retries=0), environ={})
            results = await asyncio.gather(*(pipe.json(HttpCall(path="models")) for _ in range(600)))
            await pipe.aclose()
        return len(results)

    assert asyncio.run(scenario()) == 600
    assert max(peaks) <= max_connections() <= 200


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of descriptors")
def test_hundreds_of_runs_at_once_work_with_few_descriptors(service: Service, tmp_path: Path) -> None:
    program = tmp_path / "many.py"
    program.write_text(MANY_RUNS)
    done = subprocess.run(
        [sys.executable, str(program), service.base_url, "64", "150"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"failed": [], "outputs": 150}
