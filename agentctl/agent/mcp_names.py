"""Names for the tools of MCP servers that tell which server each is of, so that no two have the same."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence

LONGEST = 64
"""Characters that the name of a function may have."""

_DIGEST_LENGTH = 8


def prefixed_names(tools: Sequence[tuple[str, str]], reserved: Collection[str]) -> list[str]:
    """Return a name for each pair of a server's and a tool's name, in their order.

    It is `mcp_SERVER__TOOL`; where that is too long, or several would have it, a digest of the pair ends it, so that a
    tool's name does not depend on what other servers there are.
    """
    wanted = [f"mcp_{_safe(server) or 'server'}__{_safe(tool) or 'tool'}" for server, tool in tools]
    count = Counter(wanted)
    seeds = [f"{server}\0{tool}" for server, tool in tools]
    first = [
        _with_digest(name, seed) if count[name] > 1 or name in reserved or len(name) > LONGEST else name
        for name, seed in zip(wanted, seeds, strict=True)
    ]
    taken = set(reserved)
    names = list(first)
    for place in sorted(range(len(tools)), key=lambda place: (first[place], seeds[place], place)):
        attempt = 0
        while names[place] in taken:
            attempt += 1
            names[place] = _with_digest(wanted[place], f"{seeds[place]}\0{attempt}")
        taken.add(names[place])
    return names


def _safe(name: str) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name).strip("_-")


def _with_digest(name: str, seed: str) -> str:
    digest = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: LONGEST - len(digest) - 1].rstrip('_-')}_{digest}"
