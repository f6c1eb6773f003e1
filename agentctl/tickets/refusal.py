"""The refusal of calls that need approval and got none: the calls as a whole, and the rules that would allow them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, assert_never

from agentctl.agent.agent import Agent
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.agent.tools.call_content import Arguments, FileChange, ShellCommands, call_content
from agentctl.agent.tools.hosted_tools import HostedMCPTool
from agentctl.agent.tools.tool import FunctionTool
from agentctl.definitions.reachable import reachable_agents
from agentctl.errors import ApprovalMissing

from .rules import Rule, Rules, server_of, uniform


def refuse(calls: list[ToolApprovalItem], rules: Rules) -> ApprovalMissing:
    """Return the error for calls that need approval and got none."""
    unmatched = [_text_of(rule) for rule in rules.allow if any(rule.may_allow(item) for item in calls)]
    allowing = [text for item in calls for text in exact_rules(item)]
    return ApprovalMissing(
        calls,
        summaries=[describe_call(item) for item in calls],
        unmatched=list(dict.fromkeys(unmatched)),
        allow=list(dict.fromkeys(allowing)),
    )


def describe_call(item: ToolApprovalItem) -> str:
    """Return a call in full: the name of its tool, and everything that decides what it does."""
    name, content = item.name or "", call_content(item.wire)
    match content:
        case Arguments(text=text):
            return f"{name} {text}".rstrip()
        case FileChange(kind=kind, path=path, move_to=move_to):
            return f"{name} {kind} {path}" + ("" if move_to is None else f" to {move_to}")
        case ShellCommands(folder=None, variables=(), user=None, others=()):
            return f"{name} {'; '.join(content.lines) or shlex.join(content.words)}"
        case ShellCommands():
            return f"{name} {json.dumps(item.wire.get('action'), ensure_ascii=False)}"
        case _:
            assert_never(content)


def exact_rules(item: ToolApprovalItem) -> list[str]:
    """Return rules that allow this call and no other; none if no pattern does, as for a command that is not literal."""
    for tool in (item.name or "", f"{server_of(item)}.{item.name}"):
        rules = [f"{_escape(tool)}:{pattern}" for pattern in _patterns(item)]
        if Rules.of(allow=rules, deny=()).verdict(item):
            return rules
    return []


def rule_notes(allow: Sequence[str], deny: Sequence[str], agent: Agent[Any]) -> list[str]:
    """Return a note for each rule that names no tool that a run of the agent can call.

    There are none if MCP servers bring tools that are only known later.
    """
    agents = reachable_agents(agent)
    tools = [tool for each in agents for tool in each.tools]
    if any(each.mcp_servers for each in agents) or any(isinstance(tool, HostedMCPTool) for tool in tools):
        return []
    names = dict.fromkeys(name for tool in tools for name in _names_of(tool))
    known = ", ".join(names) or "none"
    return [
        f"{option} {shlex.quote(text)} names no tool of the agent; its tools: {known}"
        for option, texts in (("--allow", allow), ("--deny", deny))
        for text in texts
        if not any(fnmatchcase(name, Rule.of(text).tool) for name in ("*", *names))
    ]


def _names_of(tool: Any) -> Iterator[str]:
    yield tool.name
    if isinstance(tool, FunctionTool) and tool.namespace:
        yield f"{tool.namespace}.{tool.name}"


def _patterns(item: ToolApprovalItem) -> Iterator[str]:
    """Yield patterns that together match what a call does."""
    content = call_content(item.wire)
    match content:
        case Arguments(text=text):
            yield _escape(uniform(text))
        case FileChange(kind=kind, path=path, move_to=move_to):
            yield from (f"{kind} {_escape(each)}" for each in (path, move_to) if each is not None)
        case ShellCommands(lines=lines, words=words):
            yield from lines or [shlex.join(words)]  # Wildcards outside of quotes match no pattern.
        case _:
            assert_never(content)


def _text_of(rule: Rule) -> str:
    return rule.tool if rule.pattern is None else f"{rule.tool}:{rule.pattern}"


def _escape(text: str) -> str:
    """Return a pattern that matches only this text."""
    return re.sub(r"([*?[])", r"[\1]", text)
