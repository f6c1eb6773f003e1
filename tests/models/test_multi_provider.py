import asyncio
from typing import Any

import pytest

from agentctl.agent.default_model import DEFAULT_MODEL
from agentctl.agent.ports import Model, ModelProvider
from agentctl.errors import ConfigurationError, UserError
from agentctl.models.local.model import LocalProvider
from agentctl.models.multi_provider import MultiProvider, MultiProviderMap
from agentctl.testing import ScriptedModel

pytestmark = pytest.mark.usefixtures("home")


class Recording(ModelProvider):
    """A provider that records the requested names."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.closed = 0

    def get_model(self, model_name: str | None) -> Model:
        self.asked.append(model_name)
        return ScriptedModel([])

    async def aclose(self) -> None:
        self.closed += 1


def mapped(**providers: ModelProvider) -> MultiProviderMap:
    provider_map = MultiProviderMap()
    provider_map.set_mapping(providers)
    return provider_map


def name_sent(name: str | None, **modes: Any) -> str:
    model = MultiProvider(openai_api_key="none", **modes).get_model(name)
    return model.model_name  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("asked", "modes", "sent"),
    [
        (None, {}, DEFAULT_MODEL),
        ("gpt", {}, "gpt"),
        ("openai/gpt", {}, "gpt"),
        ("openai/a/b", {}, "a/b"),
        ("openai/gpt", {"openai_prefix_mode": "model_id"}, "openai/gpt"),
        ("foo/bar", {"unknown_prefix_mode": "model_id"}, "foo/bar"),
        ("openai/gpt", {"unknown_prefix_mode": "model_id"}, "gpt"),
    ],
)
def test_a_name_is_sent_as_its_prefix_and_the_modes_say(asked: str | None, modes: dict[str, Any], sent: str) -> None:
    assert name_sent(asked, **modes) == sent


def test_an_unknown_prefix_is_an_error_that_names_the_known_ones_and_the_mode() -> None:
    provider = MultiProvider(provider_map=mapped(mine=Recording()))
    with pytest.raises(ConfigurationError, match="'foo'") as caught:
        provider.get_model("foo/bar")
    assert "local/, mine/, openai/" in str(caught.value)
    assert "unknown_prefix_mode='model_id'" in str(caught.value)


def test_an_endpoint_that_is_not_openai_gets_names_with_unknown_prefixes_unchanged() -> None:
    provider = MultiProvider(openai_api_key="none", openai_base_url="https://models.example/v1")
    assert provider.get_model("vendor/large").model_name == "vendor/large"  # type: ignore[attr-defined]
    assert provider.get_model("openai/gpt").model_name == "gpt"  # type: ignore[attr-defined]


def test_the_users_map_comes_first() -> None:
    mine = Recording()
    provider = MultiProvider(provider_map=mapped(mine=mine, openai=mine, local=mine))
    for name in ("mine/a/b", "openai/q", "local/q"):
        provider.get_model(name)
    assert mine.asked == ["a/b", "q", "q"]


def test_the_prefix_local_is_served_by_the_local_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(LocalProvider, "get_model", lambda self, name: asked.append(name))
    MultiProvider().get_model("local/smollm2")
    assert asked == ["smollm2"]


def test_closing_closes_every_provider_once() -> None:
    mine = Recording()
    asyncio.run(MultiProvider(provider_map=mapped(a=mine, b=mine)).aclose())
    assert mine.closed == 1


def test_a_map_is_read_and_changed_by_its_methods() -> None:
    first, second = Recording(), Recording()
    provider_map = mapped(a=first)
    provider_map.add_provider("b", second)
    assert provider_map.has_prefix("b")
    assert provider_map.get_provider("b") is second
    assert provider_map.get_provider("c") is None
    provider_map.remove_provider("a")
    provider_map.get_mapping()["x"] = first
    assert provider_map.get_mapping() == {"b": second}


@pytest.mark.parametrize("mode", ["openai_prefix_mode", "unknown_prefix_mode"])
def test_a_mode_that_does_not_exist_is_an_error_that_names_those_that_do(mode: str) -> None:
    with pytest.raises(UserError, match=f"{mode}.*'model_id'.*'other'"):
        MultiProvider(**{mode: "other"})  # type: ignore[arg-type]
