"""`agentctl budget`: manages budgets of tokens and money that runs share."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli import completion_values
from agentctl.cli.columns import align, terminal_width
from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError
from agentctl.profile.keys import NO_BUDGET

if TYPE_CHECKING:
    # 10 ms that `--help` avoids.
    from agentctl.budgets.store import SharedBudget

HELP = """Example: agentctl budget set ci --usd 5 --tokens 2M --per day

Manage budgets of tokens and money that runs on this machine share: `agentctl run --budget NAME`.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

_MOST_USD = 1_000_000
_MOST_TOKENS = 10**15
_TOKENS = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG]?)")
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_PERIODS = ("day", "week", "month")


def _parse_name(text: str) -> str:
    from agentctl.budgets.store import check_budget_name

    try:
        return check_budget_name(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _parse_usd(text: str) -> float:
    try:
        usd = float(text.removeprefix("$"))
    except ValueError:
        usd = -1.0
    if not 0 <= usd <= _MOST_USD:
        raise typer.BadParameter(f"{text!r} is not an amount of USD from 0 to {_MOST_USD:,}, such as 5 or 0.25")
    return usd


def _parse_tokens(text: str) -> int:
    match = _TOKENS.fullmatch(text.replace("_", ""))
    tokens = round(float(match[1]) * _UNITS[match[2].lower()]) if match else -1
    if not 0 <= tokens <= _MOST_TOKENS:
        raise typer.BadParameter(f"{text!r} is not a number of tokens, such as 20000, 500k or 2M")
    return tokens


def _parse_period(text: str) -> str:
    if text not in _PERIODS:
        raise typer.BadParameter(f"{text!r} is not a period: {', '.join(_PERIODS)}")
    return text


AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The budget.", parser=_parse_name, autocompletion=completion_values.budgets),
]


@app.command("set", short_help="Create or change a budget.")
def set_budget(
    ctx: typer.Context,
    name: Name,
    usd: Annotated[Any, typer.Option("--usd", metavar="USD", parser=_parse_usd, help="Maximum cost.")] = None,
    tokens: Annotated[
        Any, typer.Option("--tokens", metavar="N", parser=_parse_tokens, help="Maximum tokens: 20000, 500k, 2M.")
    ] = None,
    per: Annotated[
        Any,
        typer.Option(
            "--per",
            metavar="day|week|month",
            parser=_parse_period,
            help="Renew it with each of these, in UTC; without it, it never renews.",
            autocompletion=lambda: [(period, "") for period in _PERIODS],
        ),
    ] = None,
) -> None:
    """Example: agentctl budget set ci --usd 5 --tokens 2M --per day

    Create a budget, or change its limits and its period to these. What was spent stays spent.
    """
    from agentctl.budgets.amount import Limits, to_nanodollars
    from agentctl.budgets.store import Period
    from agentctl.cli.budget_store import budget_store

    if name == NO_BUDGET:
        raise UsageError(f"{NO_BUDGET!r} stands for no budget; choose another name")
    if usd is None and tokens is None:
        raise UsageError("a budget needs a limit: --usd, --tokens, or both")
    limits = Limits(tokens, None if usd is None else to_nanodollars(usd))
    invocation: Invocation = ctx.obj
    budget_store(invocation).define(name, limits, None if per is None else Period(per))
    invocation.note(f"budget {name}: {limits}{'' if per is None else f' per {per}'}")


@app.command("list", short_help="List the budgets.")
def list_budgets(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Example: agentctl budget list --json

    List the budgets: name, limits, what is left, and when it renews.
    """
    from agentctl.cli.budget_store import budget_store

    invocation: Invocation = ctx.obj
    budgets = budget_store(invocation).list()
    if as_json:
        invocation.print_json({"budgets": [_document(budget) for budget in budgets]})
        return
    rows = [(each.name, _limits(each), f"{each.remainder} left", _renewal(each)) for each in budgets]
    for line in align(rows, terminal_width()) if rows else ():
        invocation.print(line)
    if not budgets:
        invocation.note("no budgets; define one with `agentctl budget set NAME --usd 5 --per day`")


@app.command("show", short_help="Show a budget.")
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Example: agentctl budget show ci

    Show a budget: its limits, what is spent, reserved by calls under way, and left, and when it renews.
    """
    from agentctl.cli.budget_store import budget_store

    invocation: Invocation = ctx.obj
    budget = budget_store(invocation).find(name)
    if as_json:
        invocation.print_json(_document(budget))
        return
    for line in align(list(_rows(budget)), terminal_width()):
        invocation.print(line)


@app.command("reset", short_help="Set what is spent back to zero.")
def reset(ctx: typer.Context, name: Name) -> None:
    """Example: agentctl budget reset ci

    Set what is spent of a budget back to zero, and begin the current period anew. Calls under way stay reserved.
    """
    from agentctl.cli.budget_store import budget_store

    invocation: Invocation = ctx.obj
    budget = budget_store(invocation).reset(name)
    invocation.note(f"budget {name}: {budget.remainder} left of {budget.limits}")


@app.command("delete", short_help="Delete a budget.")
def delete(ctx: typer.Context, name: Name) -> None:
    """Example: agentctl budget delete ci

    Delete a budget. Runs that use it fail at their next model call.
    """
    from agentctl.cli.budget_store import budget_store

    invocation: Invocation = ctx.obj
    budget_store(invocation).delete(name)
    invocation.note(f"deleted the budget {name}")


def _rows(budget: "SharedBudget") -> Iterator[tuple[str, str]]:
    yield "budget", budget.name
    yield "limits", _limits(budget)
    yield "spent", str(budget.spent)
    yield "reserved", str(budget.reserved)
    yield "left", str(budget.remainder)
    yield "period", _renewal(budget)


def _limits(budget: "SharedBudget") -> str:
    return f"{budget.limits}{'' if budget.period is None else f' per {budget.period.value}'}"


def _renewal(budget: "SharedBudget") -> str:
    from agentctl.budgets.store import format_time

    return "never renews" if budget.renews is None else f"renews {format_time(budget.renews)}"


def _document(budget: "SharedBudget") -> dict[str, JSONValue]:
    """Return a budget as JSON."""
    from agentctl.budgets.amount import to_usd
    from agentctl.budgets.store import format_time

    limits, left = budget.limits, budget.remainder
    return {
        "name": budget.name,
        "per": None if budget.period is None else budget.period.value,
        "renews_at": None if budget.renews is None else format_time(budget.renews),
        "usd": {
            "limit": to_usd(limits.nanodollars),
            "spent": to_usd(budget.spent.nanodollars),
            "reserved": to_usd(budget.reserved.nanodollars),
            "left": to_usd(left.nanodollars),
        },
        "tokens": {
            "limit": limits.tokens,
            "spent": budget.spent.tokens,
            "reserved": budget.reserved.tokens,
            "left": left.tokens,
        },
    }
