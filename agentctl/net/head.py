"""A parser of the head of an HTTP response, for connections that continue with another protocol; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentctl._dataclass import dataclass
from agentctl.redaction import excerpt

MAX_HEAD = 64 * 1024
"""The size limit of a head, in bytes."""

_SWITCHING = 101
"""The one status below 200 that ends the exchange of requests; 100 and 103 announce another response."""
_PREFIX = b"HTTP/"
_STATUS_LINE = re.compile(r"HTTP/1\.[01] (\d{3})(?: (.*))?")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


class NotHTTP(Exception):
    """The data is not the head of an HTTP response; the message describes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a response."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """The last value of each header, with names in lower case."""
    size: int
    """Its length in bytes, the blank line included."""


def parse_head(data: bytes | bytearray) -> Head | None:
    """Return the head at the start of `data`, or None if more data is needed.

    Raises:
        NotHTTP: there is none.
    """
    if not data.startswith(_PREFIX[: len(data)]):
        raise NotHTTP(_description(data))
    first, newline, _ = bytes(data[:MAX_HEAD]).partition(b"\n")
    if not newline:
        _check_size(data)
        return None
    line = _STATUS_LINE.fullmatch(first.decode("latin-1").rstrip("\r"))
    if line is None:
        raise NotHTTP(_description(first))
    blank = _BLANK_LINE.search(data)
    if blank is None:
        _check_size(data)
        return None
    lines = data[len(first) + 1 : blank.start()].decode("latin-1").splitlines()
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
    return Head(status=int(line[1]), reason=line[2] or "", headers=headers, size=blank.end())


def take_head(data: bytearray) -> Head | None:
    """Return the head of the final response in `data`, as `parse_head` does; interim ones are removed from `data`.

    Raises:
        NotHTTP: there is none.
    """
    while (head := parse_head(data)) is not None and 100 <= head.status < 200 and head.status != _SWITCHING:
        del data[: head.size]
    return head


def _check_size(data: bytes | bytearray) -> None:
    if len(data) >= MAX_HEAD:
        raise NotHTTP(f"a head of more than {MAX_HEAD >> 10} KiB")


def _description(data: bytes | bytearray) -> str:
    if data.startswith(b"\x15\x03"):
        return "a TLS alert"
    return repr(excerpt(bytes(data[:80]).decode("utf-8", "replace"))) if data else "nothing"
