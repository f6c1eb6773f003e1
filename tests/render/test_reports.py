"""Reports of runs: what is in them, and that no text of others is more than text in any of them."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agentctl.agent.usage import Usage
from agentctl.errors import ConfigurationError, MissingKeyError, ModelBehaviorError
from agentctl.prices.cost import Cost
from agentctl.redaction import MASK, register_secret
from agentctl.render.escape import escape, one_line
from agentctl.render.reports.github import SUMMARY_LIMIT, error_commands, mask_command, step_outputs
from agentctl.render.reports.junit import junit_report
from agentctl.render.reports.markdown import code_block, code_span, markdown_report
from agentctl.render.reports.recorder import RunRecorder
from agentctl.render.reports.report import Report, ReportedRun, SourceLine, ToolSummary, place_of
from agentctl.render.reports.write import ReportOption, parse_report, write_report
from tests.github import commands_in, outputs_in
from tests.render.runs import called, finished, started

HOSTILE = (
    "</code></pre><img src=x onerror=1> [a](javascript:x) ![i](http://x.example/i) @team :bug: www.example.com\n"
    "::error file=x::pwned\n```\n# heading\n~~~\n| a | b |\n%0A::stop-commands::x\r::set-output name=a::b\n"
    "EOF\nend_\n\x1b[31m\x00]]>&lt;\ufffe\ud800 x@example.com _a_ *b* `c` https://example.com <https://example.com>"
)
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from([*HOSTILE.split(" "), "\n", "\r", "`", "```", "|", "\\", "_", "*", "::"])).map("".join),
)
PASSED = ReportedRun(
    name="agent.py:agent",
    outcome="completed",
    exit_code=0,
    seconds=1.25,
    text="Oslo.",
    agent="assistant",
    model="gpt-x",
    tools=(ToolSummary(name="get_weather", calls=2, failed=1),),
    usage=Usage(requests=1, input_tokens=1200, output_tokens=48, total_tokens=1248),
    cost=Cost(0.0021, "settings"),
    trace_id="trace_1",
    trace_file=Path("/state/traces/1-trace_1.jsonl"),
)
DENIED = replace(
    PASSED, name="b", outcome="denied", exit_code=83, text="", error="needs approval: shell; run it in a terminal"
)
BROKEN = replace(
    DENIED,
    name="c",
    outcome="misconfigured",
    exit_code=78,
    is_error=True,
    error="agent.py: no agent",
    place=SourceLine(file="/checkout/src/a,b:c.py", line=3),
    trace_file=None,
)


def report(*runs: ReportedRun) -> Report:
    worst = next((run for run in runs if run.exit_code), runs[0])
    return Report(title="agentctl run", runs=runs, outcome=worst.outcome, exit_code=worst.exit_code)


def parsed(document: str) -> ET.Element:
    return ET.fromstring(document.encode())


def test_markdown_of_a_run() -> None:
    assert markdown_report(report(PASSED)) == (
        "## agentctl run: completed\n\n"
        "- outcome: completed (0)\n"
        "- agent: <code>assistant</code>\n"
        "- model: <code>gpt-x</code>\n"
        "- tools: <code>get_weather (2 calls, 1 failed)</code>\n"
        "- tokens: 1,200 in, 48 out\n"
        "- cost: $0.0021\n"
        "- time: 1.2 s\n"
        "- trace: [<code>1-trace_1.jsonl</code>](file:///state/traces/1-trace_1.jsonl)\n\n"
        "### Answer\n\n```text\nOslo.\n```\n"
    )


def test_markdown_of_many_runs_has_a_table_and_the_failures() -> None:
    page = markdown_report(report(PASSED, DENIED, BROKEN))
    assert page.startswith(
        "## agentctl run: 1 of 3 passed\n\n| case | result | tokens | cost | time |\n| --- | --- | --- | --- | --- |\n"
        "| <code>agent.py&#58;agent</code> | passed | 1,200 in, 48 out | $0.0021 | 1.2 s |\n"
        "| <code>b</code> | failed | 1,200 in, 48 out | $0.0021 | 1.2 s |\n"
        "| <code>c</code> | error |"
    )
    assert re.findall("^### .*$", page, re.M) == ["### <code>b</code>", "### Error", "### <code>c</code>", "### Error"]


def test_junit_of_many_runs() -> None:
    root = parsed(junit_report(report(PASSED, DENIED, BROKEN), now=0))
    totals = {"tests": "3", "failures": "1", "errors": "1", "time": "3.750", "name": "agentctl run"}
    (suite,) = root
    assert (root.tag, root.attrib) == ("testsuites", totals)
    assert suite.attrib == {**totals, "skipped": "0", "timestamp": "1970-01-01T00:00:00"}
    assert suite[0].attrib == {
        "classname": "agentctl.run", "name": "agent.py:agent", "time": "1.250"
    }  # fmt: skip
    assert [[part.tag for part in case] for case in suite] == [
        ["system-out", "system-err"],
        ["failure", "system-out", "system-err"],
        ["error", "system-out", "system-err"],
    ]
    assert suite[0][0].text == "Oslo."
    assert "tools: get_weather (2 calls, 1 failed)\ntokens: 1,200 in, 48 out\ncost: $0.0021" in (suite[0][1].text or "")
    assert suite[2][0].attrib == {"type": "misconfigured", "message": "agent.py: no agent"}
    assert suite[2][0].text == "/checkout/src/a,b:c.py:3: agent.py: no agent"


def test_github_gets_an_annotation_for_each_failure_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    place = SourceLine(file=str(tmp_path / "src" / "a,b:c.py"), line=3)
    log = error_commands(report(PASSED, DENIED, replace(BROKEN, place=place)), {"GITHUB_WORKSPACE": str(tmp_path)})
    assert [tuple(command) for command in commands_in(log)] == [
        ("error", {"title": "agentctl run: b"}, DENIED.error),
        ("error", {"title": "agentctl run: c", "file": "src/a,b:c.py", "line": "3"}, BROKEN.error),
    ]
    outside = error_commands(report(BROKEN), {"GITHUB_WORKSPACE": "/checkout/s"})
    assert commands_in(outside)[0].properties["file"] == "/checkout/src/a,b:c.py"


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([PASSED], {"outcome": "completed", "exit_code": "0", "final_output": "Oslo.", "trace_id": "trace_1"}),
        (
            [replace(DENIED, text="{")],
            {"outcome": "denied", "exit_code": "83", "final_output": "", "trace_id": "trace_1"},
        ),
        ([PASSED, DENIED], {"outcome": "denied", "exit_code": "83", "final_output": "", "trace_id": ""}),
    ],
)  # fmt: skip
def test_the_outputs_of_a_step(runs: list[ReportedRun], expected: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text(step_outputs(report(*runs)))
    assert outputs_in(tmp_path / "outputs") == expected


@given(TEXTS)
@example(HOSTILE)
def test_the_log_of_a_step_has_no_command_but_ours(text: str) -> None:
    run = replace(BROKEN, name=text, error=text, place=SourceLine(file=text, line=1))
    (command,) = commands_in(error_commands(report(run), {}))
    assert (command.name, command.message) == ("error", escape(text) or "misconfigured")
    assert command.properties == {"title": f"agentctl run: {escape(text)}", "file": escape(text), "line": "1"}


@given(TEXTS)
@example(HOSTILE)
def test_an_output_of_a_step_is_any_text(text: str) -> None:
    lines = step_outputs(report(replace(PASSED, text=text)))
    delimiter = re.search("final_output<<(end_[0-9a-f]{32})\n", lines)
    assert delimiter is not None
    assert delimiter[0] + f"{text}\n{delimiter[1]}\ntrace_id<<" in lines
    assert lines.count(f"{delimiter[1]}\n") == 2


@given(TEXTS)
@example(HOSTILE)
def test_junit_is_xml_whatever_the_texts(text: str) -> None:
    (suite,) = parsed(junit_report(report(replace(BROKEN, name=text, error=text, text=text)), now=0))
    case = suite[0]
    clean = escape(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    assert (case.attrib["name"], case[0].attrib["message"]) == (clean, clean or "misconfigured")
    assert (case[1].text or "", len(suite), len(case)) == (clean, 1, 3)


@given(TEXTS)
@example(HOSTILE)
def test_a_text_in_markdown_is_code_and_nothing_else(text: str) -> None:
    parser = MarkdownIt("commonmark").enable("table")
    line = one_line(text) or "-"
    page = f"### {code_span(line)}\n\n| a | b |\n| - | - |\n| {code_span(line)} | x |\n\n{code_block(text)}\n\nend\n"
    tokens = parser.parse(page)
    kinds = [token.type for token in tokens if token.type not in ("inline",)]
    cell = ["td_open", "td_close"]
    assert [kind for kind in kinds if kind in (*cell, "fence", "heading_open", "html_block")] == [
        "heading_open", *cell, *cell, "fence",
    ]  # fmt: skip
    for token in tokens:
        if token.type == "inline" and "<code>" in token.content:
            parts: list[Any] = token.children or []
            assert [part.content for part in parts if part.type == "html_inline"] == ["<code>", "</code>"]
            assert {part.type for part in parts} <= {"html_inline", "text", "text_special"}
            assert "".join(part.content for part in parts if part.type != "html_inline").split() == line.split()
    (fence,) = (token for token in tokens if token.type == "fence")
    assert fence.content == escape(text).rstrip("\n") + "\n"


@pytest.mark.parametrize("text", ["@team", "http://x.example", "www.example.com", "a@example.com", ":bug:", "WWW.x.y"])
def test_code_has_nothing_that_github_links(text: str) -> None:
    assert not re.search(r"[@:]|www\.", code_span(text), re.IGNORECASE)


@pytest.mark.parametrize("count", [1, 3, 500])
def test_a_step_summary_is_small_enough_to_be_shown(count: int) -> None:
    runs = [replace(BROKEN, text="語" * (2_000_000 // count), error="語" * (500_000 // count)) for _ in range(count)]
    page = markdown_report(report(*runs), limit=SUMMARY_LIMIT)
    assert "more characters)" in page
    assert len(page.encode()) < 1 << 20


def test_reports_have_no_secrets_and_the_output_of_a_step_is_not_changed(tmp_path: Path) -> None:
    key = "sk-reports-canary-0123456789"
    register_secret(key)
    tool = ToolSummary(name=key, calls=1)
    run = replace(BROKEN, name=key, text=key, error=key, agent=key, model=key, tools=(tool,), trace_id=key)
    files = {name: tmp_path / name for name in ("junit", "markdown", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    log: list[str] = []
    for kind in ("junit", "markdown"):
        write_report(ReportOption(kind, files[kind]), report(run), {}, write_command=log.append)  # type: ignore[arg-type]
    environ = {name: str(path) for name, path in files.items()}
    write_report(ReportOption("github"), report(run), environ, write_command=log.append)
    write_report(ReportOption("github"), report(replace(PASSED, text=key)), environ, write_command=log.append)
    assert not [name for name, path in files.items() if key in path.read_text() and name != "GITHUB_OUTPUT"]
    assert all(MASK in files[name].read_text() for name in ("junit", "markdown", "GITHUB_STEP_SUMMARY"))
    assert key not in "".join(log)
    assert outputs_in(files["GITHUB_OUTPUT"])["final_output"] == key
    assert commands_in(mask_command("a%b")) == [("add-mask", {}, "a%b")]


@pytest.mark.parametrize("text", ["", "github=x", "junit", "junit=", "markdown=-", "html=x", "=x"])
def test_other_values_of_the_option_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"github|FILE"):
        parse_report(text)


def test_the_values_of_the_option() -> None:
    values = [parse_report(text) for text in ("github", "junit=a=b.xml", "markdown=c.md")]
    assert values == [
        ReportOption("github"), ReportOption("junit", Path("a=b.xml")), ReportOption("markdown", Path("c.md"))
    ]  # fmt: skip


def test_a_recorded_run_has_its_tools_and_what_the_model_wrote_instead_of_an_answer() -> None:
    recorder = RunRecorder(clock=iter([1.0, 3.5]).__next__)
    for event in (*started(), called("look", "x"), called("look", "y"), called("act", "z")):
        recorder.observe(event)
    error = ModelBehaviorError("not JSON", reply="oops")
    end = replace(finished(), error=error, final_output=None)
    run = recorder.run(end, name="n", error="not JSON", cost_of=lambda usage: Cost(1.0, "x"))
    assert (run.seconds, run.text, run.outcome, run.is_error) == (2.5, "oops", "invalid_output", False)
    assert [(tool.name, tool.calls) for tool in run.tools] == [("look", 2), ("act", 1)]
    end = replace(finished(), error=MissingKeyError("no key"), final_output=None)
    assert RunRecorder().run(end, name="n", error="no key", cost_of=lambda usage: Cost(None, "x")).is_error


def test_the_place_of_an_error(tmp_path: Path) -> None:
    named = ConfigurationError("wrong", file=tmp_path / "agentctl.toml", line=4)
    assert place_of(named, tmp_path) == SourceLine(file=str(tmp_path / "agentctl.toml"), line=4)
    file = tmp_path / "tool.py"
    for source, line in (("def f():\n    return 1 / 0\nf()\n", 2), ("x = (\n", 1)):
        raised: Exception | None = None
        try:
            try:
                exec(compile(source, str(file), "exec"), {})
            except Exception as error:
                raise ConfigurationError("importing it failed") from error
        except ConfigurationError as error:
            raised = error
        assert place_of(raised, tmp_path) == SourceLine(file=str(file), line=line)
    assert place_of(ValueError("never raised"), tmp_path) is None
    assert place_of(None, tmp_path) is None
