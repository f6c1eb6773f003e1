import socket

import httpcore2
import httpx2
import pytest

from agentctl.net.options import HttpOptions
from agentctl.net.proxy import Proxy
from agentctl.net.unreachable import (
    CODE_OF,
    CONNECT_FAILED,
    CONNECTION_LOST,
    NO_ANSWER,
    is_transport_error,
    transport_error,
)

OPTIONS = HttpOptions(connect_timeout=3, request_timeout=7)


def every_kind(kind: type[httpx2.RequestError] = httpx2.RequestError) -> set[type[httpx2.RequestError]]:
    return {kind}.union(*(every_kind(sub) for sub in kind.__subclasses__()))


def words(error: Exception, *, proxy: Proxy | None = None, has_responded: bool = False) -> tuple[str, str | None]:
    translated = transport_error(error, host="h.example", options=OPTIONS, proxy=proxy, has_responded=has_responded)
    return str(translated), translated.code


CORE_KINDS: list[type[Exception]] = [
    kind
    for kind in vars(httpcore2).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind is not httpcore2.ConnectionNotAvailable
]
"""The exceptions of `httpcore2`; the one left out is for its own use."""


def test_the_table_knows_every_exception_that_a_request_can_raise() -> None:
    assert {kind.__name__ for kind in every_kind() if kind.__module__.startswith("httpx2")} == set(CODE_OF)
    assert {kind.__name__ for kind in CORE_KINDS} - set(CODE_OF) == set()
    assert all(is_transport_error(kind("boom")) for kind in [*every_kind(), *CORE_KINDS])
    assert not is_transport_error(ConnectionError("boom"))
    assert not is_transport_error(httpx2.InvalidURL("boom"))


@pytest.mark.parametrize("kind", CORE_KINDS)
def test_both_libraries_get_the_same_words(kind: type[Exception]) -> None:
    assert words(kind("boom")) == words(getattr(httpx2, kind.__name__)("boom"))


@pytest.mark.parametrize("kind", sorted(every_kind(), key=lambda kind: kind.__name__))
def test_every_message_names_the_host_and_a_next_step(kind: type[httpx2.RequestError]) -> None:
    message, code = words(kind("boom"))
    assert "h.example" in message
    assert ";" in message
    assert code == CODE_OF[kind.__name__]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (httpx2.ConnectTimeout(""), CONNECT_FAILED, "no response within 3 s"),
        (httpx2.ReadTimeout(""), NO_ANSWER, "sent no data for 7 s"),
        (httpx2.ReadError(""), CONNECTION_LOST, "before it responded: ReadError"),
    ],
)
def test_the_message_says_which_phase_failed(error: httpx2.RequestError, code: str, said: str) -> None:
    message, its_code = words(error)
    assert said in message
    assert its_code == code


def test_a_cut_in_the_middle_is_told_from_one_before_the_answer() -> None:
    assert "during the response" in words(httpx2.ReadError("x"), has_responded=True)[0]


def test_the_reason_is_looked_for_in_the_causes() -> None:
    error = httpx2.ConnectError("All connection attempts failed")
    error.__cause__ = ExceptionGroup("several", [ConnectionRefusedError(111, "Connection refused")])
    assert "connection refused" in words(error)[0]


def test_a_name_that_cannot_be_resolved_is_said() -> None:
    error = httpx2.ConnectError("[Errno -2] Name or service not known")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    assert "the host name cannot be resolved" in words(error)[0]


def test_a_proxy_on_the_way_is_named() -> None:
    proxy = Proxy(url="http://u:hidden-word@proxy:1", variable="HTTPS_PROXY")
    message, _ = words(httpx2.ConnectError("x"), proxy=proxy)
    assert "through the proxy http://proxy:1" in message
    assert "HTTPS_PROXY" in message
    assert "hidden-word" not in message
