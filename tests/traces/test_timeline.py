"""The timeline in a terminal: a whole one, narrow and wide, with errors in place and nothing that moves the cursor."""

import re
from pathlib import Path

import pytest

from agentctl.prices.prices import Prices
from agentctl.render.escape import columns
from agentctl.traces.timeline import format_seconds, timeline
from tests.traces.sample import Writer, read_only, write_sample

PRICES = Prices({"gpt-5-mini": {"input": 0.25, "cached": 0.025, "written": 0.3, "output": 2}}, None)


def lines(folder: Path, width: int, *, full: bool = False) -> list[str]:
    return list(timeline(read_only(folder), PRICES, width=width, full=full))


def test_the_whole_timeline_at_120_columns(tmp_path: Path) -> None:
    trace_id = write_sample(tmp_path)
    shown = lines(tmp_path, 120)
    assert shown[0] == trace_id
    assert re.fullmatch(r"weather · completed · \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", shown[1])
    assert shown[2] == "2 model calls · 2 tool calls · 2,024 in, 96 out · $0.00048 · 4.00 s"
    text = "\n".join(shown)
    assert re.search(r"├─ model gpt-5-mini +━+ +1.20 s 1,012→48 \$0.00024\n", text)
    assert re.search(r"\n│  │  │ +↻ retry 1 after 0.5 s: ServiceUnavailableError\n", text)
    assert re.search(r"└─ tool broken +━+ +300 ms\n +✗ ValueError: It is \*\*sunny\*\* in Oslo.", text)
    assert re.search(r"├─ approval get_weather +━+ +50 ms\n│  │ +\? approved\n", text)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("full", [False, True])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, width: int, full: bool) -> None:
    write_sample(tmp_path, text="日本 " * 80, name="very_long_name_of_a_tool_" * 3)
    for line in lines(tmp_path, width, full=full):
        assert columns(line) <= width, line
    assert len(lines(tmp_path, width)[1]) <= width


def test_bars_are_to_scale(tmp_path: Path) -> None:
    write_sample(tmp_path)
    bars = {line.split()[0]: line.count("━") for line in lines(tmp_path, 120) if line.startswith("run")}
    halves = [line.count("━") for line in lines(tmp_path, 120) if "agent " in line]
    assert halves[0] / bars["run"] == pytest.approx(0.6, abs=0.04)
    assert halves[1] / bars["run"] == pytest.approx(0.4, abs=0.04)


def test_full_shows_inputs_outputs_and_how_the_call_was_made(tmp_path: Path) -> None:
    write_sample(tmp_path)
    text = "\n".join(lines(tmp_path, 120, full=True))
    assert "https://api.openai.com/v1 · websocket · full, opened · first token after 400 ms" in text
    assert '→ {"city": "Oslo"}' in text
    assert "← It is **sunny** in Oslo." in text


def test_control_characters_are_shown(tmp_path: Path) -> None:
    write_sample(tmp_path, text="a\x1b[2Jb\u202ec", name="n\x1b]0;t\x07\u202e")
    text = "\n".join(lines(tmp_path, 120, full=True))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_an_empty_and_a_very_deep_trace_are_shown(tmp_path: Path) -> None:
    from agentctl.tracing.span_data import CustomSpanData

    Writer(tmp_path / "empty").close()
    assert lines(tmp_path / "empty", 80)[-1] == "no span was written"
    writer = Writer(tmp_path / "deep")
    parent = None
    for depth in range(3000):
        parent = writer.span(CustomSpanData(f"level {depth}", {}), 0, 1, parent)
    writer.close()
    shown = lines(tmp_path / "deep", 80)
    assert len(shown) > 3000
    assert max(map(columns, shown)) <= 80


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 µs"),
        (0.0000421, "42 µs"),
        (0.0421, "42.1 ms"),
        (0.99999, "1.00 s"),
        (9.999, "10.00 s"),
        (59.94, "59.9 s"),
        (61, "1m 01s"),
        (3725, "1h 02m"),
        (200000, "55h 33m"),
    ],
)
def test_durations_have_about_three_digits(seconds: float, shown: str) -> None:
    assert format_seconds(seconds) == shown
