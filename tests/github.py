"""GitHub's runner, as its documentation has it: the files of a step, and the commands in its log."""

import re
from pathlib import Path
from typing import NamedTuple


class Command(NamedTuple):
    """A command to the runner, such as `::error file=a.py,line=1::message`."""

    name: str
    properties: dict[str, str]
    message: str


def commands_in(log: str) -> list[Command]:
    """Return the commands that the runner obeys in a log of a step."""
    found = []
    for line in re.split(r"\r\n|\r|\n", log):
        match = re.match(r"\s*::([\w-]+)(?: ([^\n]*?))?::(.*)", line)
        if match is not None:
            pairs = (pair.partition("=") for pair in (match[2] or "").split(",") if pair)
            found.append(Command(match[1], {name: _decode(value) for name, _, value in pairs}, _decode(match[3])))
    return found


def outputs_in(file: Path) -> dict[str, str]:
    """Return the outputs in the file that GITHUB_OUTPUT names."""
    outputs: dict[str, str] = {}
    lines = file.read_bytes().decode().split("\n") if file.exists() else []
    while lines:
        line = lines.pop(0)
        if not line:
            continue
        name, heredoc, delimiter = line.partition("<<")
        if heredoc and "=" not in name:
            end = lines.index(delimiter)
            outputs[name], lines = "\n".join(lines[:end]), lines[end + 1 :]
        else:
            name, _, outputs[line.partition("=")[0]] = line.partition("=")
    return outputs


def _decode(text: str) -> str:
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text
