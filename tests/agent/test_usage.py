"""What runs consumed, as models of any kind tell it."""

from typing import Any

import pytest
from openai.types.responses import response_usage

from agentctl import InputTokensDetails, OutputTokensDetails, RequestUsage, Usage

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
