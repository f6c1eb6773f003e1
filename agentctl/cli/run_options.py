"""The options that `run`, `stream` and `chat` share, and their conversion into `RunOptions`."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer
from typer.core import TyperCommand

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values
from agentctl.profile.keys import parse_assignment, parse_value
from agentctl.storage import is_stdout

from .report import UsageError

if TYPE_CHECKING:
    from agentctl.launch.cassette import CassetteOptions
    from agentctl.render.reports.write import ReportOption


class Format(StrEnum):
    """The output format: text, one JSON document, or one JSON event per line."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


class ToolSource(StrEnum):
    """The answers to the tool calls of a replayed run: those of the cassette, or of the tools."""

    CASSETTE = "cassette"
    LIVE = "live"


class DriftAction(StrEnum):
    """The end of a run that differs from its recording, or its continuation with the real model."""

    FAIL = "fail"
    LIVE = "live"


def setting_parser(name: str) -> Any:
    """Return a parser that validates an option as the setting with this name."""

    def parse(text: str) -> JSONValue:
        try:
            return parse_value(name, text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return parse


def _parse_assignment(text: str) -> tuple[str, JSONValue]:
    try:
        return parse_assignment(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _parse_variable(text: str) -> tuple[str, str]:
    # 1 ms, needed only for a variable.
    from agentctl.launch.variables import parse_variable

    try:
        return parse_variable(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_report_option(text: str) -> ReportOption:
    """Return the report that an option asks for; raise `BadParameter` if it is none."""
    # 5 ms, needed only for a report.
    from agentctl.render.reports.write import parse_report

    try:
        return parse_report(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_session_id(text: str) -> str:
    """Return a session id, validated."""
    # 3 ms, needed only for a session.
    from agentctl.memory.session_id import check_session_id

    try:
        return check_session_id(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_rule(text: str) -> str:
    """Return a rule of `--allow` or `--deny`, validated."""
    # 20 ms, needed only for a rule.
    from agentctl.tickets.rules import Rule

    try:
        Rule.of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return text


Prompt: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[PROMPT]", help="The prompt; `-` reads it from stdin.", show_default=False)
]
Stdin: TypeAlias = Annotated[bool, typer.Option("--stdin", help="Append stdin to the prompt as a separate block.")]
AllowEmpty: TypeAlias = Annotated[bool, typer.Option("--allow-empty", help="Accept an empty stdin with --stdin.")]
AgentRef: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--agent",
        "-a",
        metavar="REF",
        help="file.py:attr, package.module:attr, file.toml:name, or a name in agentctl.toml.",
        autocompletion=completion_values.agents,
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="The model, such as local/smollm2.",
        autocompletion=completion_values.models,
    ),
]
Instructions: TypeAlias = Annotated[
    str | None, typer.Option("--instructions", "-i", metavar="TEXT|@FILE", help="The system prompt.")
]
File: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="PATH|URL|-",
        help="Attach an image, PDF, audio or text; `-:image/png` is stdin, with its type.",
    ),
]
Var: TypeAlias = Annotated[
    list[Any] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        parser=_parse_variable,
        help="Fill {{NAME}} in the prompt and the instructions.",
    ),
]
McpConfig: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--mcp-config", metavar="FILE", help="Add the MCP servers of a JSON file with mcpServers."),
]
OutputSchema: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--output-schema",
        metavar="FILE|-|JSON|REF",
        help="Output JSON that matches a JSON Schema, or module:Class.",
    ),
]
Ephemeral: TypeAlias = Annotated[bool, typer.Option("--ephemeral", help="Keep no trace, session or history.")]
Set: TypeAlias = Annotated[
    list[Any] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        parser=_parse_assignment,
        help="A model setting: temperature=0, reasoning.effort=low.",
        autocompletion=completion_values.assignments,
    ),
]
MaxTurns: TypeAlias = Annotated[
    Any,
    typer.Option("--max-turns", metavar="N", parser=setting_parser("max_turns"), help="Maximum number of model calls."),
]
MaxTokensTotal: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--max-tokens-total",
        metavar="N",
        parser=setting_parser("max_tokens_total"),
        help="Maximum tokens, input plus output.",
    ),
]
MaxCost: TypeAlias = Annotated[
    Any, typer.Option("--max-cost", metavar="USD", parser=setting_parser("max_cost"), help="Maximum cost of the run.")
]
BudgetName: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--budget",
        metavar="NAME",
        parser=setting_parser("budget"),
        help="Draw from this shared budget; `none` for no budget.",
        autocompletion=completion_values.budgets_or_none,
    ),
]
BudgetWait: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--budget-wait",
        metavar="TIME",
        parser=setting_parser("budget_wait"),
        help="How long to wait for other calls under the budget.",
    ),
]
Timeout: TypeAlias = Annotated[
    Any,
    typer.Option("--timeout", metavar="TIME", parser=setting_parser("timeout"), help="Time limit: 90, 90s, 5m, 1h."),
]
Retries: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--retries",
        metavar="N",
        parser=setting_parser("client.retries"),
        help="How often to retry a failed request.",
    ),
]
Session: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="ID",
        parser=parse_session_id,
        help="Continue this conversation, or start it, and save it.",
        autocompletion=completion_values.sessions,
    ),
]
Continue: TypeAlias = Annotated[bool, typer.Option("--continue", "-c", help="Continue the most recent session.")]
OnApproval: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--on-approval",
        metavar="POLICY",
        parser=setting_parser("on_approval"),
        help="How to handle tool calls that need approval when not prompting: allow, deny, fail, suspend or read-only.",
        autocompletion=completion_values.values_of("on_approval"),
    ),
]
Allow: TypeAlias = Annotated[
    list[Any] | None,
    typer.Option(
        "--allow",
        metavar="TOOL[:PATTERN]",
        parser=parse_rule,
        help="Approve matching calls: 'read_*', 'shell:git status *'.",
    ),
]
Deny: TypeAlias = Annotated[
    list[Any] | None,
    typer.Option(
        "--deny", metavar="TOOL[:PATTERN]", parser=parse_rule, help="Deny matching calls, even if --allow matches."
    ),
]
Ticket: TypeAlias = Annotated[
    Path | None,
    typer.Option("--ticket", metavar="FILE", help="Also write the suspended run's ticket to FILE."),
]
Resume: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--resume",
        metavar="TICKET",
        help="Resume a suspended run: the id or file of its ticket.",
        autocompletion=completion_values.tickets,
    ),
]
Transport: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--transport",
        metavar="auto|http|websocket",
        parser=setting_parser("transport"),
        help="How to connect to the Responses API.",
        autocompletion=completion_values.values_of("transport"),
    ),
]
Api: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--api",
        metavar="responses|chat_completions",
        parser=setting_parser("api"),
        help="The API of the endpoint.",
        autocompletion=completion_values.values_of("api"),
    ),
]
Trace: TypeAlias = Annotated[
    bool | None, typer.Option("--trace/--no-trace", help="Enable or disable tracing of this run.", show_default=False)
]
Record: TypeAlias = Annotated[
    Path | None, typer.Option("--record", metavar="FILE", help="Record the run in a cassette.")
]
Replay: TypeAlias = Annotated[
    Path | None,
    typer.Option("--replay", metavar="FILE", help="Replay the run of a cassette, without a model or a key."),
]
ReplayTools: TypeAlias = Annotated[
    ToolSource | None,
    typer.Option("--replay-tools", help="With --replay: answer tool calls from the cassette, or run the tools."),
]
OnDriftOption: TypeAlias = Annotated[
    DriftAction | None,
    typer.Option("--on-drift", help="With --replay: end a run that differs, or go on with the real model."),
]
Pace: TypeAlias = Annotated[bool, typer.Option("--pace", help="With --replay: take as long as the model took.")]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Print the first request without sending it.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document: the same as --format json.")]
FormatOption: TypeAlias = Annotated[
    Format, typer.Option("--format", help="Output format: text, one JSON document, or one JSON event per line.")
]
Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of stdout (`-`).")
]
Report: TypeAlias = Annotated[
    list[Any] | None,
    typer.Option(
        "--report",
        metavar="KIND[=FILE]",
        parser=parse_report_option,
        help="Also report the run to CI: github (which needs -o FILE), junit=FILE or markdown=FILE.",
    ),
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print no notes or progress to stderr.")]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", help="Print logs and tracebacks to stderr.")]
NoInput: TypeAlias = Annotated[bool, typer.Option("--no-input", help="Never prompt on the terminal.")]


class PromptCommand(TyperCommand):
    """A command that may be given a prompt which begins with `-`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse a word such as `-m is best`, which would be read as the option `-m` and the value ` is best`."""
        valued = {name for option in self.params if not getattr(option, "is_flag", True) for name in option.opts}
        words = iter(args)
        for word in words:
            letters = word[1:] if word[:1] == "-" != word[1:2] else ""
            end = next((end for end, letter in enumerate(letters, 1) if f"-{letter}" in valued), 0)
            if word == "--":
                break
            if word in valued or (end and end == len(letters)):
                next(words, None)
            elif letters[end : end + 1].isspace():
                raise UsageError(f"{word!r} begins with `-`, like an option", ctx)
        return super().parse_args(ctx, args)


def explicit_settings(named: dict[str, JSONValue], assigned: list[Any] | None) -> dict[str, JSONValue]:
    """Return the settings given on the command line: the options in use by their key, and those of `--set`."""
    return {name: value for name, value in {**named, **dict(assigned or ())}.items() if value is not None}


def _cassette_options(
    record: Path | None, replay: Path | None, tools: ToolSource | None, on_drift: DriftAction | None, *, has_pace: bool
) -> CassetteOptions | None:
    """Return the options of a cassette, None without one."""
    if record is not None and replay is not None:
        raise UsageError("--record writes a cassette and --replay reads one; use only one of them")
    if replay is None:
        for option, is_given in (("--replay-tools", tools), ("--on-drift", on_drift), ("--pace", has_pace)):
            if is_given:
                raise UsageError(f"{option} applies to --replay, which is not given")
        if record is None:
            return None
    # 20 ms, only for a run with a cassette.
    from agentctl.launch.cassette import CassetteOptions

    return CassetteOptions(
        record=record,
        replay=replay,
        live_tools=tools is ToolSource.LIVE,
        on_drift="live" if on_drift is DriftAction.LIVE else "fail",
        has_pace=has_pace,
    )


def run_command(command: Literal["run", "stream"]) -> Callable[..., None]:
    """Return the function of `run` or `stream`; its signature declares the options."""

    def run(
        ctx: typer.Context,
        prompt: Prompt = None,
        agent: AgentRef = None,
        model: Model = None,
        instructions: Instructions = None,
        stdin: Stdin = False,
        allow_empty: AllowEmpty = False,
        file: File = None,
        var: Var = None,
        mcp_config: McpConfig = None,
        output_schema: OutputSchema = None,
        set_: Set = None,
        max_turns: MaxTurns = None,
        max_tokens_total: MaxTokensTotal = None,
        max_cost: MaxCost = None,
        budget: BudgetName = None,
        budget_wait: BudgetWait = None,
        timeout: Timeout = None,
        retries: Retries = None,
        session: Session = None,
        continue_: Continue = False,
        on_approval: OnApproval = None,
        allow: Allow = None,
        deny: Deny = None,
        ticket: Ticket = None,
        resume: Resume = None,
        transport: Transport = None,
        api: Api = None,
        trace: Trace = None,
        ephemeral: Ephemeral = False,
        record: Record = None,
        replay: Replay = None,
        replay_tools: ReplayTools = None,
        on_drift: OnDriftOption = None,
        pace: Pace = False,
        format: FormatOption = Format.TEXT,
        as_json: AsJson = False,
        output: Output = None,
        report: Report = None,
        dry_run: DryRun = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
        no_input: NoInput = False,
    ) -> None:
        # 90 ms that `--help` avoids.
        from agentctl.cli.approvals.options import ApprovalOptions

        from .ephemeral import ephemeral_settings
        from .prompt import read_instructions
        from .run_job import RunOptions, run_job
        from .session_options import SessionOptions

        if as_json and format is Format.JSONL:
            raise UsageError("--json is --format json; it cannot be combined with --format jsonl")
        named = {
            "agent": agent,
            "model": model,
            "max_turns": max_turns,
            "max_tokens_total": max_tokens_total,
            "max_cost": max_cost,
            "budget": budget,
            "budget_wait": budget_wait,
            "timeout": timeout,
            "client.retries": retries,
            "on_approval": on_approval,
            "transport": transport,
            "api": api,
            "trace.enabled": trace,
        }
        flags, variables = explicit_settings(named, set_), dict(var or ())
        options = RunOptions(
            command=command,
            prompt=prompt,
            also_stdin=stdin,
            allow_empty=allow_empty,
            instructions=read_instructions(instructions, variables),
            files=tuple(file or ()),
            variables=variables,
            mcp_config=tuple(mcp_config or ()),
            output_schema=output_schema,
            is_ephemeral=ephemeral,
            flags=ephemeral_settings(flags) if ephemeral else flags,
            session=SessionOptions(session_id=session, continue_latest=continue_),
            approvals=ApprovalOptions(
                allow=tuple(allow or ()), deny=tuple(deny or ()), ticket=ticket, resume=resume, may_ask=not no_input
            ),
            format="json" if as_json else format.value,
            output=None if output is None or is_stdout(output) else output,
            cassette=_cassette_options(record, replay, replay_tools, on_drift, has_pace=pace),
            reports=tuple(report or ()),
            dry_run=dry_run,
            quiet=quiet,
            verbose=verbose,
        )
        raise typer.Exit(run_job(options, ctx.obj))

    return run
