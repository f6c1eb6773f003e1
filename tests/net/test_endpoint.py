import pytest

from agentctl.errors import ConfigurationError, MissingKeyError
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.origin import OPENAI_BASE_URL, origin_of
from agentctl.redaction import MASK, redact


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com"),
        ("HTTPS://API.OpenAI.com:443/v1/", "https://api.openai.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:8080/v1?a=b", "http://localhost:8080"),
        ("https://host:80", "https://host:80"),
        ("http://[::1]:1234/v1", "http://[::1]:1234"),
    ],
)
def test_an_origin_is_scheme_host_and_port_without_the_default_one(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://[::1",
        "https://a b/v1",
    ],
)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        origin_of(url)


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="set-key") as caught:
        origin_of("https://user:hunter22@host.example/v1")
    assert "hunter22" not in str(caught.value)
    assert "host.example" in str(caught.value)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://h/v1", "https://h/v1/responses"),
        ("https://h/v1/", "https://h/v1/responses"),
        ("http://h", "http://h/responses"),
        ("http://h/v1/?a=b", "http://h/v1/responses?a=b"),
        ("http://h/v1?a=b#part", "http://h/v1/responses?a=b"),
    ],
)
def test_a_path_goes_below_the_base_url_whose_query_stays(base: str, url: str) -> None:
    assert Endpoint(base_url=base).url("responses") == url


def test_a_query_of_the_call_goes_over_that_of_the_base_url() -> None:
    endpoint = Endpoint(base_url="http://h/v1?api-version=1&keep=&keep=2")
    assert endpoint.url("responses", {"api-version": 2, "x": "a b"}) == (
        "http://h/v1/responses?keep=&keep=2&api-version=2&x=a+b"
    )


def test_the_key_goes_to_its_origin_alone() -> None:
    endpoint = Endpoint(base_url=OPENAI_BASE_URL, key="sk-endpoint-1", organization="org-1", project="proj-1")
    assert endpoint.headers_for(endpoint.url("responses")) == {
        "authorization": "Bearer sk-endpoint-1",
        "openai-organization": "org-1",
        "openai-project": "proj-1",
    }
    for elsewhere in (
        "http://api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com.evil.example",
    ):
        assert endpoint.headers_for(elsewhere) == {}


def test_a_missing_key_is_said_with_the_ways_out() -> None:
    endpoint = Endpoint(base_url=OPENAI_BASE_URL)
    with pytest.raises(MissingKeyError) as caught:
        endpoint.headers_for(OPENAI_BASE_URL)
    for way_out in ("https://api.openai.com", "agentctl config set-key", "OPENAI_API_KEY", "-m local/smollm2"):
        assert way_out in str(caught.value)


def test_the_key_none_means_that_no_key_is_sent() -> None:
    assert Endpoint(base_url="http://h/v1", key=NO_KEY).headers_for("http://h/v1/responses") == {}
    assert redact("none of it") == "none of it"


def test_a_key_is_a_secret_from_then_on_and_not_in_the_repr() -> None:
    endpoint = Endpoint(base_url="http://h/v1", key="sk-endpoint-2")
    assert redact("Bearer sk-endpoint-2") == f"Bearer {MASK}"
    assert "sk-endpoint-2" not in repr(endpoint)


@pytest.mark.parametrize("key", ["sk-two words", "sk-line\nbreak", "sk-ünicode", "", " sk-padded"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigurationError, match="key for http://h") as caught:
        Endpoint(base_url="http://h/v1", key=key)
    assert not key or key not in str(caught.value)
