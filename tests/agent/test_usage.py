"""What runs consumed, as models of any kind tell it."""

import json
from typing import Any

import pytest
from openai.types.responses import response_usage

from agentctl import InputTokensDetails, OutputTokensDetails, RequestUsage, Usage
from agentctl.agent.usage_json import deserialize_usage, serialize_usage

THEIR_INPUT = response_usage.InputTokensDetails.construct(cached_tokens=2)
THEIR_OUTPUT = response_usage.OutputTokensDetails(reasoning_tokens=3)


@pytest.mark.parametrize(
    ("given_in", "given_out", "cached", "reasoning"),
    [
        (THEIR_INPUT, THEIR_OUTPUT, 2, 3),
        (None, None, 0, 0),
        (InputTokensDetails(5), OutputTokensDetails(6), 5, 6),
    ],
)
def test_details_of_the_client_or_none_are_read_as_ours(
    given_in: Any, given_out: Any, cached: int, reasoning: int
) -> None:
    usage = Usage(requests=1, input_tokens=7, input_tokens_details=given_in, output_tokens_details=given_out)
    assert usage.input_tokens_details == InputTokensDetails(cached)
    assert usage.output_tokens_details == OutputTokensDetails(reasoning)


def test_usage_is_added_call_by_call() -> None:
    usage = Usage()
    for _ in range(2):
        usage.add(Usage(requests=1, input_tokens=3, output_tokens=1, total_tokens=4, input_tokens_details=THEIR_INPUT))
    assert (usage.requests, usage.total_tokens, usage.input_tokens_details.cached_tokens) == (2, 8, 4)
    one = RequestUsage(3, 1, 4, InputTokensDetails(2), OutputTokensDetails(0))
    assert usage.request_usage_entries == [one, one]


def test_tokens_written_to_a_cache_are_counted_everywhere() -> None:
    wire = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}}
    whole = Usage()
    for _ in range(2):
        whole.add(Usage.from_wire(wire))
    assert whole.input_tokens_details.cache_write_tokens == 6
    assert [entry.input_tokens_details.cache_write_tokens for entry in whole.request_usage_entries] == [3, 3]
    assert whole.to_wire()["input_tokens_details"] == {"cached_tokens": 8, "cache_write_tokens": 6}


def test_details_may_be_dicts() -> None:
    usage = Usage(input_tokens_details={"cached_tokens": 4}, output_tokens_details={"reasoning_tokens": 2})  # type: ignore[arg-type]
    assert (usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens) == (4, 2)


def test_usage_survives_json() -> None:
    whole = Usage()
    for cached in (1, 2):
        details = InputTokensDetails(cached, 5)
        whole.add(Usage(requests=1, input_tokens=3, output_tokens=1, total_tokens=4, input_tokens_details=details))
    assert deserialize_usage(json.loads(json.dumps(serialize_usage(whole)))) == whole
    assert deserialize_usage({}) == Usage()
