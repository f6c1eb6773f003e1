"""Check of the installed completion scripts: their paths, and whether they are up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from agentctl.cli.completion import Shell
from agentctl.cli.completion_scripts import script

from .finding import Finding, ok, warning

_PLACES: tuple[tuple[Shell, tuple[str, ...]], ...] = (
    (
        Shell.BASH,
        (
            "{data}/bash-completion/completions/agentctl",
            "/usr/local/share/bash-completion/completions/agentctl",
            "/usr/share/bash-completion/completions/agentctl",
            "/etc/bash_completion.d/agentctl",
        ),
    ),
    (
        Shell.ZSH,
        (
            "{home}/.zfunc/_agentctl",
            "/usr/local/share/zsh/site-functions/_agentctl",
            "/usr/share/zsh/site-functions/_agentctl",
            "/usr/share/zsh/vendor-completions/_agentctl",
        ),
    ),
    (
        Shell.FISH,
        (
            "{config}/fish/completions/agentctl.fish",
            "/usr/local/share/fish/vendor_completions.d/agentctl.fish",
            "/usr/share/fish/vendor_completions.d/agentctl.fish",
        ),
    ),
)


def check_completions(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield findings about the completion scripts in the usual places."""
    check = "completions"
    found = list(_find_installed(environ))
    outdated = [(shell, path) for shell, path in found if _read_text(path) != script(shell).strip()]
    for shell, path in outdated:
        yield warning(check, f"{path} is out of date", f"update it with `agentctl completions {shell} > {path}`")
    if not found:
        yield ok(check, "not installed in the usual places; `agentctl completions --help` lists them")
    elif not outdated:
        yield ok(check, ", ".join(f"{shell} ({path})" for shell, path in found))


def _find_installed(environ: Mapping[str, str]) -> Iterator[tuple[Shell, Path]]:
    home = environ.get("HOME", "")
    data = environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    for shell, places in _PLACES:
        for place in places:
            path = Path(place.format(home=home, data=data, config=config))
            if path.is_absolute() and path.is_file():
                yield shell, path


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
