"""The page in a real browser: nothing in a text runs, it works by keyboard and when small, and 5,000 spans scroll."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentctl.prices.prices import Prices
from agentctl.traces.page import trace_page
from agentctl.tracing.span_data import FunctionSpanData, TurnSpanData
from tests.traces.browser import BROWSER, Page, browser
from tests.traces.sample import Writer, read_only, write_sample

PRICES = Prices({"gpt-5-mini": {"input": 0.25, "cached": 0.025, "written": 0.3, "output": 2}}, None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium; `apt-get install chromium`")
EVIL = (
    "<script>window.hit = 1</script></script><img src=x onerror='window.hit = 1'><svg/onload=window.hit=1> "
    '[a](javascript:window.hit=1) ![b](https://evil.example/x.png) ![c](x"onerror=window.hit=1) <!--<script> '
    "\u202egnp.exe\u2066 \x1b]0;t\x07 <a href='javascript:window.hit=1'>x</a> ]]> '\"onmouseover=window.hit=1"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The one browser of these tests."""
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


def written(folder: Path, **sample: str) -> Path:
    write_sample(folder / "traces", **sample)
    path = folder / "page.html"
    path.write_text(trace_page([read_only(folder / "traces")], PRICES), encoding="utf-8")
    return path


def test_a_page_is_small_and_names_no_address(tmp_path: Path) -> None:
    text = written(tmp_path).read_text()
    data = re.search(r'<script type="application/json" id="data">(.*)</script>\n<script>', text)
    assert data is not None
    assert len(text.encode()) - len(data[1].encode()) < 150_000
    assert not re.search(r"https?://(?!api\.openai\.com)", text)
    assert "<" not in data[1]
    assert "default-src 'none'" in text


@needs_browser
def test_nothing_that_a_text_says_happens(tmp_path: Path, page: Page) -> None:
    page.events.clear()
    page.open(written(tmp_path, text=EVIL, name=EVIL))
    count = page.run("document.getElementById('rows').children.length")
    assert count > 10
    for _ in range(count):
        page.press("j")
    page.run("document.querySelectorAll('#panel a').forEach((link) => { link.target = '_self'; link.click(); })")
    assert page.run("window.hit") is None
    assert page.run("document.querySelectorAll('script').length") == 2
    assert page.run(
        "[...document.querySelectorAll('*')].every((one) => ![...one.attributes].some((a) => /^on/i.test(a.name)))"
    )
    assert not page.run("/[\\u202a-\\u202e\\u2066-\\u2069\\u001b]/.test(document.body.innerText)")
    requested = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requested if not url.startswith(("file:", "data:", "about:"))] == []


@needs_browser
def test_the_panel_shows_markdown_images_json_tokens_and_costs(tmp_path: Path, page: Page) -> None:
    page.open(written(tmp_path))
    page.run("[...document.querySelectorAll('.row.model')][0].click()")
    panel = page.run("document.getElementById('panel').innerText")
    assert page.run("document.querySelector('#panel strong').textContent") == "sunny"
    assert page.run("document.querySelector('#panel img').naturalWidth") == 1
    assert "websocket" in panel
    assert "first token after 400 ms" in panel
    assert "ServiceUnavailableError, after 0.5 s" in panel
    assert "$0.00024" in panel
    assert page.run("document.querySelectorAll('#panel .json details').length") == 2


@needs_browser
def test_keys_move_fold_search_and_zoom_and_the_address_names_the_span(tmp_path: Path, page: Page) -> None:
    path = written(tmp_path)
    page.open(path)
    selected = "document.querySelector('[aria-selected=true]').getAttribute('aria-label')"
    assert page.run(selected).startswith("run Agent workflow")
    page.press("j")
    assert page.run(selected).startswith("agent get_weather")
    rows = page.run("document.getElementById('rows').children.length")
    page.press("ArrowLeft")
    assert page.run("document.getElementById('rows').children.length") < rows
    page.press("ArrowRight")
    assert page.run("document.getElementById('rows').children.length") == rows
    page.press("k")
    assert page.run(selected).startswith("run")
    page.press("/")
    assert page.run("document.activeElement.id") == "search"
    page.call("Input.insertText", text="broken")
    assert page.run("document.getElementById('count').textContent").startswith("1 of ")
    page.press("Escape")
    assert page.run("document.activeElement.id") == "tree"
    assert page.run("document.getElementById('rows').children.length") == rows
    page.run("document.getElementById('errors').click()")
    assert page.run("document.getElementById('count').textContent").startswith("1 of ")
    page.press("Escape")
    width = "document.querySelector('[aria-selected=true] i').style.width"
    before = page.run(width)
    page.press("+")
    assert page.run(width) != before
    page.press("0")
    assert page.run(width) == before
    page.press("End")
    link = page.run("location.hash")
    page.open(path, link)
    assert page.run(selected).startswith("tool broken")
    page.open(path, "#%E0%A4%A")
    assert page.run(selected).startswith("run")


@needs_browser
@pytest.mark.parametrize("width", [380, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_small_and_large_screens_in_light_and_dark(tmp_path: Path, page: Page, width: int, scheme: str) -> None:
    page.resize(width)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.open(written(tmp_path))
    page.screenshot(tmp_path / f"{width}-{scheme}.png")
    assert page.run("document.documentElement.scrollWidth") <= width
    light = page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light == (scheme == "light")
    page.call("Emulation.setEmulatedMedia", media="print", features=[])
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("getComputedStyle(document.querySelector('.bar')).display") == "none"
    page.run("dispatchEvent(new Event('afterprint'))")
    page.call("Emulation.setEmulatedMedia", media="", features=[])


@needs_browser
def test_five_thousand_spans_are_drawn_as_few_rows(tmp_path: Path, page: Page) -> None:
    writer = Writer(tmp_path)
    for turn in range(1, 1001):
        parent = writer.span(TurnSpanData(turn, "a"), turn, turn + 0.9)
        for call in range(4):
            writer.span(
                FunctionSpanData(f"tool {call}", "{}", "x" * 200), turn + call / 5, turn + call / 5 + 0.1, parent
            )
    writer.close()
    path = tmp_path / "page.html"
    path.write_text(trace_page([read_only(tmp_path)], PRICES))
    page.resize(1280)
    page.open(path)
    assert page.run("document.getElementById('count').textContent") == "5000 spans"
    assert page.run("document.getElementById('rows').children.length") < 80
    page.press("End")
    assert page.run("document.querySelector('[aria-selected=true]').getAttribute('aria-label')").startswith(
        "tool tool 3"
    )
    assert page.run("document.getElementById('rows').children.length") < 80
    slowest = page.run(
        "(async () => { const tree = document.getElementById('tree'); let slowest = 0;"
        " for (let top = 0; top < 100000; top += 2500) { tree.scrollTop = top; const before = performance.now();"
        " tree.dispatchEvent(new Event('scroll')); slowest = Math.max(slowest, performance.now() - before); }"
        " return slowest; })()"
    )
    assert slowest < 1000
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("document.getElementById('rows').children.length") == 5000
    page.run("dispatchEvent(new Event('afterprint'))")


@needs_browser
def test_a_screen_reader_finds_a_tree(tmp_path: Path, page: Page) -> None:
    page.open(written(tmp_path))
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node["ignored"]]
    assert "tree" in roles
    names = [node["name"]["value"] for node in nodes if node.get("role", {}).get("value") == "treeitem"]
    assert "tool broken, 300 ms, error" in names
    assert "status" in roles
    assert page.run("document.getElementById('tree').getAttribute('aria-activedescendant')") == "row-0"
