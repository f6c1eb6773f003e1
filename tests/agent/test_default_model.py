from agentctl.agent.default_model import DEFAULT_MODEL, get_default_model


def test_the_environment_names_the_default_model() -> None:
    assert get_default_model({"OPENAI_DEFAULT_MODEL": " GPT-X "}) == "gpt-x"


def test_without_a_name_there_is_one_constant() -> None:
    assert get_default_model({}) == DEFAULT_MODEL
    assert get_default_model({"OPENAI_DEFAULT_MODEL": ""}) == DEFAULT_MODEL
