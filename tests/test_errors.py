"""The table of outcomes and exit codes."""

import inspect

import httpx2
import openai
import pytest

from agentctl import errors
from agentctl.errors import (
    EXITS,
    AgentsException,
    IncompleteStreamError,
    ModelBehaviorError,
    Outcome,
    RunInterrupted,
    by_code,
    exit_for,
)


def test_every_exception_of_ours_is_drawn_in_the_tree() -> None:
    assert errors.__doc__ is not None
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AgentsException)]
    assert {kind.__name__ for kind in kinds if f" {kind.__name__} " not in errors.__doc__} == set()


def test_every_outcome_has_its_row_and_every_code_one() -> None:
    assert {row.outcome for row in EXITS} == set(Outcome)
    assert len({row.code for row in EXITS}) == len(EXITS)


@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_is_128_and_its_number(number: int) -> None:
    assert exit_for(RunInterrupted(number)) is by_code(128 + number)


def test_a_stream_that_ends_early_is_an_unavailable_service_and_misbehavior() -> None:
    error = IncompleteStreamError("cut", code="connection_lost")
    assert isinstance(error, ModelBehaviorError)
    assert (error.code, error.reply, exit_for(error).outcome) == ("connection_lost", None, Outcome.UNAVAILABLE)


def test_an_unknown_exception_is_a_failure() -> None:
    assert exit_for(ZeroDivisionError()).code == 1
    assert exit_for(None).code == 0


@pytest.mark.parametrize(("status", "code"), [(401, 77), (400, 69), (429, 75), (503, 75)])
def test_what_a_users_own_client_raises_counts_as_ours_would(status: int, code: int) -> None:
    response = httpx2.Response(status, request=httpx2.Request("POST", "http://service/"))
    assert exit_for(openai.APIStatusError("no", response=response, body=None)).code == code
    assert exit_for(openai.APIConnectionError(request=response.request)).code == 75
