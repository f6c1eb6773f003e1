"""Draws docs/run.svg, a run on a real terminal over the fake service: `python -m tests.run_svg`."""

import io
import re
import shlex
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.cli.terminal import Terminal
from tests.pages import ROOT
from tests.service.client import Service, running_service
from tests.service.steps import text, tool_calls

PICTURE = ROOT / "docs" / "run.svg"
_PROMPT = "Where is it warmer, Oslo or Bergen?"
_COMMAND = f'agentctl stream -a weather.py:agent "{_PROMPT}"'
_ANSWER = """**Bergen** is the warmer one:

| city | sky | °C |
| --- | --- | ---: |
| Oslo | clear | 4 |
| Bergen | rain | 7 |
"""
_AGENT = '''
from agentctl import Agent, function_tool


@function_tool
def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return {"Oslo": "4 °C, clear"}.get(city, "7 °C, rain")


agent = Agent(name="weather", tools=[get_weather])
'''
FRAME = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="A run in a terminal">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#0c0c0c"/>
<g fill="#444444"><circle cx="22" cy="22" r="6"/><circle cx="44" cy="22" r="6"/><circle cx="66" cy="22" r="6"/></g>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
_COLUMNS = 76
_NO_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-ln-~]")


def picture(service: Service, folder: Path) -> str:
    """Run the command on a terminal and return what it shows, as SVG that needs nothing from elsewhere."""
    (folder / "weather.py").write_text(_AGENT)
    service.script(tool_calls(("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Bergen"})), text(_ANSWER))
    env = {
        "HOME": str(folder),
        "AGENTCTL_HOME": str(folder / "home"),
        "OPENAI_API_KEY": "k-picture",
        "OPENAI_BASE_URL": service.base_url,
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "PYTHONPATH": str(ROOT),
    }
    arguments = shlex.split(_COMMAND)[1:]
    with Terminal(*arguments, env=env, columns=_COLUMNS, folder=folder) as terminal:
        assert terminal.end() == 0, terminal.raw
        shown = _NO_COLOUR.sub("", terminal.raw).replace("\r\n", "\n")
    lines = [line.rpartition("\r")[2] for line in shown.split("\n")]  # without live lines, which were erased
    console = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard", _environ={}
    )
    console.print(Text.from_ansi("\n".join([f"\x1b[36m$\x1b[0m {_COMMAND}", *lines]).rstrip()))
    drawn = console.export_svg(title=_COMMAND, theme=MONOKAI, code_format=FRAME, unique_id="run")
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def main() -> None:
    """Write the picture."""
    with running_service() as service, tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(picture(service, Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
