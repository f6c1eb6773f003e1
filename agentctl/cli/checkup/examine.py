"""The whole check-up: what can be looked at side by side is, and the findings come in one order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing

from agentctl.cli.cancellable import run_cancellable
from agentctl.cli.invocation import Invocation
from agentctl.errors import AgentsException, ConfigurationError
from agentctl.models.default_model import DEFAULT_MODEL
from agentctl.profile.credentials import load_credentials
from agentctl.profile.load import Loaded, find_key, find_paths, load_settings
from agentctl.threads import in_daemon_thread

from .files import check_files, check_project, check_variables
from .finding import Finding, State, failure, softened, warning
from .installation import check_local_model, check_packages, check_python
from .service import LOCAL, check_service, service_in_force
from .shell import check_completions


def examine(invocation: Invocation, *, limit: float, report: Callable[[Finding], None]) -> None:
    """Report each finding as soon as it and those before it are there; each question may take `limit` seconds.

    Threads that a name server keeps waiting may be left behind.
    """
    run_cancellable(_examine(invocation, limit, report))


async def _examine(invocation: Invocation, limit: float, report: Callable[[Finding], None]) -> None:
    environ = invocation.environ
    findings = list(_of_files(invocation))
    loaded = _settings(invocation, findings)
    model = DEFAULT_MODEL if loaded is None else loaded.settings.model or DEFAULT_MODEL
    local = model.removeprefix(LOCAL) if model.startswith(LOCAL) else None
    looking = asyncio.ensure_future(_local_model(environ, local, limit))
    for finding in findings:
        report(finding)
    try:
        if loaded is not None:
            await _of_service(loaded, environ, model, limit, report, is_needed=local is None)
        report(await looking)
    finally:
        looking.cancel()


def _of_files(invocation: Invocation) -> Iterator[Finding]:
    yield check_python()
    yield check_packages()
    yield from check_variables(invocation.environ)
    try:
        paths = find_paths(invocation.environ, invocation.config, invocation.profile)
    except ConfigurationError as error:
        yield failure("profile", error)
    else:
        yield from check_files(paths)
        yield from check_project(paths)
    yield from check_completions(invocation.environ)


def _settings(invocation: Invocation, findings: list[Finding]) -> Loaded | None:
    """Return what is in force; where that cannot be known, add why, unless a file was already found to be wrong."""
    try:
        return load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile)
    except ConfigurationError as error:
        found = failure("settings", error)
        if all(one.message != found.message for one in findings):
            findings.append(found)
        findings.append(warning("endpoint", "not checked, since the settings are wrong"))
        return None


async def _of_service(
    loaded: Loaded,
    environ: Mapping[str, str],
    model: str,
    limit: float,
    report: Callable[[Finding], None],
    *,
    is_needed: bool,
) -> None:
    try:
        key = find_key(loaded, environ)
        stored = load_credentials(loaded.paths.credentials, loaded.profile.name)
    except ConfigurationError:
        report(warning("endpoint", "not checked, since the stored keys cannot be read"))
        return
    for note in key.notes:
        if note not in stored.notes:
            what, _, remedy = note.partition("; ")
            report(warning("key", what, remedy))
    try:
        service = service_in_force(loaded, key, environ, model=model, limit=limit)
    except AgentsException as error:
        report(failure("endpoint", error))
        return
    async with aclosing(check_service(service)) as findings:
        async for finding in findings:
            report(finding if is_needed else softened(finding))


async def _local_model(environ: Mapping[str, str], model: str | None, limit: float) -> Finding:
    try:
        async with asyncio.timeout(limit):
            return await in_daemon_thread(lambda: check_local_model(environ, model), name="check of the local model")
    except TimeoutError:
        return warning("local model", f"not known after {limit:g} s", "wait longer with `--timeout`")


def exit_code_of(findings: list[Finding]) -> int:
    """Return the exit code of the first failure, 0 where there is none."""
    return next((finding.exit_code for finding in findings if finding.state is State.FAILURE), 0)
