"""The commands that install packages beside agentctl, for the installer that agentctl itself came with."""

from __future__ import annotations

import os
import sys

DISTRIBUTION = "agentctl-cli"
"""The name of the distribution; `agentctl` on PyPI is another project."""

KEYRING = "keyring>=25"
LOCAL = "xllamacpp>=2026.10"
MCP = "mcp>=2.3,<3"
OTEL = ("opentelemetry-exporter-otlp-proto-http>=1.45,<2", "opentelemetry-sdk>=1.45,<2")
BATCH = "dbos>=3.4,<4"
PARQUET = "pyarrow>=18"
PRICES = "genai-prices>=0.2.3,<0.3"


def install_command(*requirements: str, reinstall: bool = False) -> str:
    """Return the command line that installs requirements beside agentctl; `reinstall` also replaces broken packages."""
    import shlex  # 2 ms, only for a message
    from pathlib import Path

    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        return shlex.join(["pipx", "inject", *(["--force"] if reinstall else []), prefix.name, *requirements])
    if (prefix / "uv-receipt.toml").is_file():
        own, others = _read_receipt(prefix / "uv-receipt.toml")
        added = [word for each in dict.fromkeys([*others, *requirements]) for word in ("--with", each)]
        return shlex.join(["uv", "tool", "install", *(["--reinstall"] if reinstall else []), *added, own])
    python = sys.executable or "python3"
    if not _has_pip():
        options = ["--reinstall"] if reinstall else []
        return shlex.join(["uv", "pip", "install", "--python", python, *options, *requirements])
    return shlex.join([python, "-m", "pip", "install", *(["--force-reinstall"] if reinstall else []), *requirements])


def _has_pip() -> bool:
    from importlib.util import find_spec

    return find_spec("pip") is not None


def _read_receipt(path: os.PathLike[str]) -> tuple[str, list[str]]:
    """Return the requirement of agentctl in a receipt of uv, and those installed with it, which uv would drop."""
    import tomllib

    with open(path, "rb") as file:
        listed = tomllib.load(file).get("tool", {}).get("requirements", [])
    requirements = {each["name"]: _requirement(each) for each in listed}
    own = requirements.pop(DISTRIBUTION, DISTRIBUTION)
    return own, list(requirements.values())


def _requirement(entry: dict[str, object]) -> str:
    """Return an entry of a receipt as an argument of uv: a folder, a file, a URL, or a name with its versions."""
    place = next((str(entry[kind]) for kind in ("editable", "directory", "path", "url") if kind in entry), None)
    if place is None and "git" in entry:
        place = f"git+{entry['git']}"
    extras = entry.get("extras")
    chosen = f"[{','.join(map(str, extras))}]" if isinstance(extras, list) and extras else ""
    if place is not None and "://" in place and chosen:
        return f"{entry['name']}{chosen} @ {place}"
    return f"{place or entry['name']}{chosen}{'' if place else entry.get('specifier', '')}"
