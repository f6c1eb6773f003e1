import pytest

from agentctl.errors import ConfigurationError
from agentctl.net.proxy import proxy_for
from agentctl.redaction import MASK, redact

URL = "https://api.example.com/v1"
PROXY = {"HTTPS_PROXY": "http://proxy:3128"}


def test_without_variables_there_is_no_proxy() -> None:
    assert proxy_for(URL, {}) is None
    assert proxy_for(URL, {"HTTPS_PROXY": " ", "all_proxy": ""}) is None


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}, "http://lower:1"),
        ({"HTTPS_PROXY": "http://upper:1", "ALL_PROXY": "http://all:1"}, "http://upper:1"),
        ({"HTTP_PROXY": "http://plain:1", "all_proxy": "socks5://all:1"}, "socks5://all:1"),
        ({"https_proxy": "proxy:3128"}, "http://proxy:3128"),
    ],
)
def test_the_variable_of_the_scheme_comes_before_all_proxy(environ: dict[str, str], url: str) -> None:
    proxy = proxy_for(URL, environ)
    assert proxy is not None
    assert proxy.url == url
    assert proxy.variable in environ


def test_http_proxy_in_capitals_is_not_read_in_a_cgi_program() -> None:
    environ = {"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}
    assert proxy_for("http://h/", environ) is None
    assert proxy_for("http://h/", {**environ, "http_proxy": "http://good:1"}) is not None


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        (URL, "*"),
        (URL, "other, api.example.com"),
        (URL, "example.com"),
        (URL, ".EXAMPLE.com"),
        (URL, "*.example.com"),
        (URL, "api.example.com:443"),
        ("http://127.0.0.1:8080/v1", "127.0.0.0/8"),
        ("http://127.0.0.1:8080/v1", "127.0.0.1:8080"),
        ("http://[::1]:8080/v1", "::1"),
        ("http://[::1]:8080/v1", "[::1]"),
        ("http://localhost/v1", "localhost other"),
    ],
)
def test_a_host_that_no_proxy_names_is_reached_directly(url: str, no_proxy: str) -> None:
    assert proxy_for(url, {"ALL_PROXY": "http://proxy:1", "NO_PROXY": no_proxy}) is None


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        (URL, "ample.com"),
        (URL, "api.example.com:8443"),
        (URL, "api.example.com.evil"),
        (URL, ","),
        ("http://10.0.0.1/v1", "127.0.0.0/8, 999.0.0.0/8"),
    ],
)
def test_a_host_that_no_proxy_does_not_name_is_not(url: str, no_proxy: str) -> None:
    assert proxy_for(url, {"ALL_PROXY": "http://proxy:1", "NO_PROXY": no_proxy}) is not None


@pytest.mark.parametrize(
    "value", ["ftp://proxy", "socks://proxy", "http://", "http://user:topsecret9@proxy:port", "http://[::1"]
)
def test_what_is_no_proxy_is_refused_by_the_name_of_the_variable_alone(value: str) -> None:
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        proxy_for(URL, {"HTTPS_PROXY": value})
    assert "topsecret9" not in str(caught.value)


def test_the_password_of_a_proxy_is_a_secret() -> None:
    proxy = proxy_for(URL, {"HTTPS_PROXY": "http://alice:s3cr%40t-word@proxy:3128"})
    assert proxy is not None
    assert proxy.display_url == "http://proxy:3128"
    assert "s3cr" not in repr(proxy)
    assert redact("s3cr@t-word s3cr%40t-word alice") == f"{MASK} {MASK} alice"
