"""Draws docs/trace.svg, a timeline, and docs/trace.png, a page in Chromium: `python -m tests.trace_pictures`."""

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from agentctl.prices.prices import Prices
from agentctl.traces.page import trace_page
from agentctl.traces.timeline import timeline
from tests.pages import ROOT
from tests.run_svg import FRAME
from tests.traces.browser import browser
from tests.traces.sample import read_only, write_sample

TIMELINE = ROOT / "docs" / "trace.svg"
PAGE = ROOT / "docs" / "trace.png"
_COMMAND = "agentctl trace show --last"
_COLUMNS = 96
_PRICES = Prices({"gpt-5-mini": {"input": 0.25, "cached": 0.025, "written": 0.3, "output": 2}}, None)


def timeline_picture(folder: Path) -> str:
    """Return the timeline of a trace as SVG; its id and its time are always the same."""
    trace_id = write_sample(folder)
    lines = "\n".join(timeline(read_only(folder), _PRICES, width=_COLUMNS))
    lines = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-11-30 15:30:47 UTC", lines)
    lines = lines.replace(trace_id, "trace_6886636f1222aef14b90c6d23519a342")
    console = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="standard", _environ={}
    )
    console.print(Text.from_ansi(f"\x1b[36m$\x1b[0m {_COMMAND}\n{lines}"))
    drawn = console.export_svg(
        title=_COMMAND, theme=MONOKAI, code_format=FRAME.replace("A run in", "A trace in"), unique_id="trace"
    )
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        TIMELINE.write_text(timeline_picture(folder / "traces"), encoding="utf-8")
        path = folder / "page.html"
        path.write_text(trace_page([read_only(folder / "traces")], _PRICES), encoding="utf-8")
        with browser(folder) as page:
            page.resize(1000, 560)
            page.open(path)
            page.run("document.querySelector('.row.model').click()")
            page.screenshot(PAGE)


if __name__ == "__main__":
    main()
