"""The options that `run`, `stream` and `chat` share, and their way into an order."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values
from agentctl.profile.keys import parse_assignment, parse_value


class Format(StrEnum):
    """What stdout gets: text for people and pipes, one JSON document, or one JSON event a line."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


def _checked(name: str) -> Any:
    """Return a parser that checks an option's text as the setting of this name."""

    def parse(text: str) -> JSONValue:
        try:
            return parse_value(name, text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return parse


def _assignment(text: str) -> tuple[str, JSONValue]:
    try:
        return parse_assignment(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def session_id(text: str) -> str:
    """Return a session id, checked."""
    # 3 ms that only a session costs.
    from agentctl.memory.session_id import check_session_id

    try:
        return check_session_id(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def rule(text: str) -> str:
    """Return a rule of `--allow` or `--deny`, checked."""
    # 20 ms that only a rule costs.
    from agentctl.tickets.rules import Rule

    try:
        Rule.of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return text


Prompt: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[PROMPT]", help="What to ask; `-` reads it from stdin.", show_default=False)
]
Stdin: TypeAlias = Annotated[bool, typer.Option("--stdin", help="Append stdin to the prompt, as a block of its own.")]
AgentRef: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--agent",
        "-a",
        metavar="REF",
        help="file.py:attr, package.module:attr, or a name from agentctl.toml.",
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
Set: TypeAlias = Annotated[
    list[Any] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        parser=_assignment,
        help="A model setting: temperature=0, reasoning.effort=low.",
        autocompletion=completion_values.assignments,
    ),
]
MaxTurns: TypeAlias = Annotated[
    Any, typer.Option("--max-turns", metavar="N", parser=_checked("max_turns"), help="The most model calls.")
]
MaxTokensTotal: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--max-tokens-total",
        metavar="N",
        parser=_checked("max_tokens_total"),
        help="The most tokens, in and out.",
    ),
]
Timeout: TypeAlias = Annotated[
    Any,
    typer.Option("--timeout", metavar="TIME", parser=_checked("timeout"), help="The longest time: 90, 90s, 5m, 1h."),
]
Retries: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--retries", metavar="N", parser=_checked("client.retries"), help="How often a failed request is tried again."
    ),
]
Session: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="ID",
        parser=session_id,
        help="Go on from this conversation, new or not, and keep it.",
        autocompletion=completion_values.sessions,
    ),
]
Continue: TypeAlias = Annotated[bool, typer.Option("--continue", help="Go on from the newest session.")]
OnApproval: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--on-approval",
        metavar="allow|deny|fail|suspend",
        parser=_checked("on_approval"),
        help="What becomes of a call that needs approval, without asking.",
        autocompletion=completion_values.values_of("on_approval"),
    ),
]
Allow: TypeAlias = Annotated[
    list[Any] | None,
    typer.Option(
        "--allow", metavar="TOOL[:PATTERN]", parser=rule, help="Approve such calls: 'read_*', 'shell:git status*'."
    ),
]
Deny: TypeAlias = Annotated[
    list[Any] | None,
    typer.Option("--deny", metavar="TOOL[:PATTERN]", parser=rule, help="Deny such calls, whatever allows them."),
]
Ticket: TypeAlias = Annotated[
    Path | None,
    typer.Option("--ticket", metavar="FILE", help="A file for the ticket of a suspended run, beside the state folder."),
]
Resume: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--resume",
        metavar="TICKET",
        help="Go on with a suspended run: its ticket's id, or file.",
        autocompletion=completion_values.tickets,
    ),
]
Transport: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--transport",
        metavar="auto|http|websocket",
        parser=_checked("transport"),
        help="How the Responses API is reached.",
        autocompletion=completion_values.values_of("transport"),
    ),
]
Api: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--api",
        metavar="responses|chat_completions",
        parser=_checked("api"),
        help="The API that the endpoint speaks.",
        autocompletion=completion_values.values_of("api"),
    ),
]
Trace: TypeAlias = Annotated[
    bool | None, typer.Option("--trace/--no-trace", help="Whether this run is traced.", show_default=False)
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print the first request that would be sent, and send nothing.")
]
FormatOption: TypeAlias = Annotated[
    Format, typer.Option("--format", help="What stdout gets: text, one JSON document, or a JSON event a line.")
]
Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="A file that takes stdout's place.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress on stderr.")]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log what the library does; show tracebacks.")
]
NoInput: TypeAlias = Annotated[bool, typer.Option("--no-input", help="Never ask anything on the terminal.")]


def chosen(named: dict[str, JSONValue], assigned: list[Any] | None) -> dict[str, JSONValue]:
    """Return the settings that the command line gives: options by their key where they were used, and `--set`."""
    return {name: value for name, value in {**named, **dict(assigned or ())}.items() if value is not None}


def run_command(command: Literal["run", "stream"]) -> Callable[..., None]:
    """Return the function of a command that runs an agent, its options in its signature."""

    def run(
        ctx: typer.Context,
        prompt: Prompt = None,
        agent: AgentRef = None,
        model: Model = None,
        instructions: Instructions = None,
        stdin: Stdin = False,
        set_: Set = None,
        max_turns: MaxTurns = None,
        max_tokens_total: MaxTokensTotal = None,
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
        format: FormatOption = Format.TEXT,
        output: Output = None,
        dry_run: DryRun = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
        no_input: NoInput = False,
    ) -> None:
        # 90 ms that `--help` does not need.
        from agentctl.cli.approvals.options import Wishes

        from .run_job import Order, run_job
        from .session_options import Wanted

        named = {
            "agent": agent,
            "model": model,
            "max_turns": max_turns,
            "max_tokens_total": max_tokens_total,
            "timeout": timeout,
            "client.retries": retries,
            "on_approval": on_approval,
            "transport": transport,
            "api": api,
            "trace.enabled": trace,
        }
        order = Order(
            command=command,
            prompt=prompt,
            also_stdin=stdin,
            instructions=instructions,
            flags=chosen(named, set_),
            session=Wanted(session_id=session, continues=continue_),
            approvals=Wishes(
                allow=tuple(allow or ()), deny=tuple(deny or ()), ticket=ticket, resume=resume, may_ask=not no_input
            ),
            format=format.value,
            output=output,
            dry_run=dry_run,
            quiet=quiet,
            verbose=verbose,
        )
        raise typer.Exit(run_job(order, ctx.obj))

    return run
