"""All checks of the doctor: run concurrently where possible, and reported in a fixed order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing

from agentctl.agent.default_model import DEFAULT_MODEL
from agentctl.cli.cancellable import run_cancellable
from agentctl.cli.invocation import Invocation
from agentctl.errors import AgentsException, ConfigurationError
from agentctl.profile.credentials import load_credentials
from agentctl.profile.load import Loaded, find_key, find_paths, load_settings
from agentctl.threads import in_daemon_thread

from .files import check_files, check_project, check_variables
from .finding import Finding, FindingState, as_warning, failure, warning
from .installation import check_local_model, check_packages, check_python
from .service import LOCAL, check_service, current_service, forget_failure
from .shell import check_completions


def examine(
    invocation: Invocation, *, limit: float, report: Callable[[Finding], None], forgets_failure: bool = False
) -> None:
    """Report each finding in order, as soon as it is known; each request may take `limit` seconds.

    `forgets_failure` has the next run try the WebSocket of the endpoint, though it did not work.

    A thread that waits for a name server may be abandoned.
    """
    run_cancellable(_examine(invocation, limit, report, forgets_failure=forgets_failure))


async def _examine(
    invocation: Invocation, limit: float, report: Callable[[Finding], None], *, forgets_failure: bool
) -> None:
    environ = invocation.environ
    findings = list(_check_installation(invocation))
    loaded = _load_settings(invocation, findings)
    model = DEFAULT_MODEL if loaded is None else loaded.settings.model or DEFAULT_MODEL
    local = model.removeprefix(LOCAL) if model.startswith(LOCAL) else None
    local_check = asyncio.ensure_future(_local_model(environ, local, limit))
    for finding in findings:
        report(finding)
    try:
        if loaded is not None:
            options = {"is_needed": local is None, "forgets_failure": forgets_failure}
            await _check_service(loaded, environ, model, limit, report, **options)
        report(await local_check)
    finally:
        local_check.cancel()


def _check_installation(invocation: Invocation) -> Iterator[Finding]:
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


def _load_settings(invocation: Invocation, findings: list[Finding]) -> Loaded | None:
    """Return the current settings without those that are invalid, or None if they cannot be read.

    Adds the reasons, unless a finding about a file already states them.
    """
    problems: list[ConfigurationError] = []
    loaded: Loaded | None = None
    try:
        loaded = load_settings(
            {}, environ=invocation.environ, config=invocation.config, profile=invocation.profile, problems=problems
        )
    except ConfigurationError as error:
        problems.append(error)
    stated = {one.message for one in findings}
    findings += [each for each in (failure("settings", problem) for problem in problems) if each.message not in stated]
    if loaded is None:
        findings.append(warning("endpoint", "not checked: the settings are invalid"))
    return loaded


async def _check_service(
    loaded: Loaded,
    environ: Mapping[str, str],
    model: str,
    limit: float,
    report: Callable[[Finding], None],
    *,
    is_needed: bool,
    forgets_failure: bool,
) -> None:
    try:
        key = find_key(loaded, environ)
        stored = load_credentials(loaded.paths.credentials, loaded.profile.name)
    except ConfigurationError:
        report(warning("endpoint", "not checked: the stored keys cannot be read"))
        return
    for note in key.notes:
        if note not in stored.notes:
            problem, _, remedy = note.partition("; ")
            report(warning("key", problem, remedy))
    try:
        service = current_service(loaded, key, environ, model=model, limit=limit)
        if forgets_failure:
            forget_failure(service)
    except AgentsException as error:
        report(failure("endpoint", error))
        return
    async with aclosing(check_service(service)) as findings:
        async for finding in findings:
            report(finding if is_needed else as_warning(finding))


async def _local_model(environ: Mapping[str, str], model: str | None, limit: float) -> Finding:
    try:
        async with asyncio.timeout(limit):
            return await in_daemon_thread(lambda: check_local_model(environ, model), name="check of the local model")
    except TimeoutError:
        return warning("local model", f"no result after {limit:g} s", "increase the limit with `--timeout`")


def exit_code_of(findings: list[Finding]) -> int:
    """Return the exit code of the first failure, or 0 without one."""
    return next((finding.exit_code for finding in findings if finding.state is FindingState.FAILURE), 0)
