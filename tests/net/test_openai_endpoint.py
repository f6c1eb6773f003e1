"""The endpoints of an OpenAI provider for requests and sockets, and their keys."""

from typing import Any

import pytest

from agentctl.errors import ConfigurationError
from agentctl.net.defaults import Defaults
from agentctl.net.openai_endpoint import EndpointOptions, http_endpoint, websocket_endpoint

OPENAI = "https://api.openai.com/v1"
KEY = {"OPENAI_API_KEY": "sk-env"}


def urls(environ: dict[str, str], **given: Any) -> tuple[str, str]:
    told = EndpointOptions(**given)
    return http_endpoint(told, Defaults(), environ).base_url, websocket_endpoint(told, Defaults(), environ).base_url


def keys(environ: dict[str, str], defaults: Defaults | None = None, **given: Any) -> tuple[Any, Any]:
    told, defaults = EndpointOptions(**given), defaults or Defaults()
    return http_endpoint(told, defaults, environ).key, websocket_endpoint(told, defaults, environ).key


@pytest.mark.parametrize(
    ("given", "environ", "http", "websocket"),
    [
        ({}, {}, OPENAI, OPENAI),
        ({}, {"OPENAI_BASE_URL": "http://env/v1"}, "http://env/v1", "http://env/v1"),
        ({}, {"OPENAI_WEBSOCKET_BASE_URL": "wss://env-ws/v1"}, OPENAI, "https://env-ws/v1"),
        ({"base_url": "http://mine/v1"}, {"OPENAI_BASE_URL": "http://env/v1"}, "http://mine/v1", "http://mine/v1"),
        ({"websocket_base_url": "ws://mine-ws/v1"}, {}, OPENAI, "http://mine-ws/v1"),
        ({"websocket_base_url": "https://mine-ws/v1"}, {}, OPENAI, "https://mine-ws/v1"),
        (
            {"websocket_base_url": "WSS://mine-ws/v1", "base_url": "http://mine/v1"},
            {"OPENAI_WEBSOCKET_BASE_URL": "wss://env-ws/v1"},
            "http://mine/v1",
            "https://mine-ws/v1",
        ),
    ],
)
def test_sockets_lead_where_requests_go_unless_told_otherwise(
    given: dict[str, Any], environ: dict[str, str], http: str, websocket: str
) -> None:
    assert urls(environ, **given) == (http, websocket)


def test_the_environments_websocket_url_never_overrides_a_base_url_that_was_given() -> None:
    environ = {"OPENAI_WEBSOCKET_BASE_URL": "wss://env-ws/v1"}
    assert urls(environ, base_url="http://mine/v1") == ("http://mine/v1", "http://mine/v1")


def test_the_environments_key_goes_where_the_environment_points() -> None:
    environ = {**KEY, "OPENAI_BASE_URL": "http://env/v1", "OPENAI_WEBSOCKET_BASE_URL": "wss://env-ws/v1"}
    assert keys(environ) == ("sk-env", "sk-env")


def test_the_environments_key_goes_to_openai() -> None:
    assert keys(KEY, base_url=OPENAI) == ("sk-env", "sk-env")


def test_the_environments_key_goes_nowhere_else() -> None:
    assert keys(KEY, base_url="http://mine/v1") == (None, None)
    assert keys(KEY, websocket_base_url="ws://mine-ws/v1") == ("sk-env", None)


def test_the_default_key_is_taken_instead_of_the_environments_and_goes_nowhere_else_either() -> None:
    defaults = Defaults(openai_key="sk-default")
    assert keys(KEY, defaults) == ("sk-default", "sk-default")
    assert keys(KEY, defaults, base_url="http://mine/v1") == (None, None)


def test_a_key_that_is_given_goes_where_it_was_given_for() -> None:
    given = {"api_key": "sk-mine", "base_url": "http://mine/v1", "websocket_base_url": "ws://mine-ws/v1"}
    assert keys(KEY, Defaults(openai_key="sk-default"), **given) == ("sk-mine", "sk-mine")


@pytest.mark.parametrize("url", ["ftp://host", "mine.example", "ws://user:secret@host"])
def test_a_websocket_url_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError):
        websocket_endpoint(EndpointOptions(websocket_base_url=url), Defaults(), {})


def test_organization_and_project_are_the_given_ones_else_the_environments() -> None:
    environ = {"OPENAI_ORG_ID": " org-env ", "OPENAI_PROJECT_ID": "proj-env"}
    told = websocket_endpoint(EndpointOptions(organization="org-mine"), Defaults(), environ)
    assert (told.organization, told.project) == ("org-mine", "proj-env")
