"""The project file: where it is looked for, and what it may say."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agentctl.errors import ConfigurationError
from agentctl.profile.project import ProjectFile, ProjectSearch, find_project, parse_project, read_project

NOBODY = 4_000_000


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / ".git").mkdir(parents=True)
    (root / "a" / "b").mkdir(parents=True)
    return root


def project_of(text: str, path: Path = Path("/p/agentctl.toml")) -> ProjectFile:
    return parse_project(text.encode(), path)


def test_the_nearest_file_up_to_the_repository_is_found(repository: Path) -> None:
    (repository / "agentctl.toml").write_text('model = "root"')
    assert find_project(repository / "a" / "b").project is not None
    (repository / "a" / "agentctl.toml").write_text('model = "near"')
    found = find_project(repository / "a" / "b").project
    assert found is not None
    assert found.values == {"model": "near"}
    assert found.root == repository / "a"


def test_above_the_repository_nothing_is_looked_for(repository: Path) -> None:
    (repository.parent / "agentctl.toml").write_text('model = "m"')
    assert find_project(repository / "a") == ProjectSearch()


def test_outside_a_repository_only_the_current_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "agentctl.toml").write_text('model = "m"')
    assert find_project(tmp_path).project is not None
    search = find_project(tmp_path / "inner")
    assert search.project is None
    (note,) = search.notes
    assert note.startswith(f"{tmp_path / 'agentctl.toml'} is not used: outside a git repository")
    assert find_project(tmp_path).notes == ()


def test_a_worktrees_git_file_ends_the_search_too(repository: Path) -> None:
    (repository / "agentctl.toml").write_text('model = "m"')
    (repository / "a" / ".git").write_text("gitdir: elsewhere")
    assert find_project(repository / "a" / "b").project is None


def test_a_file_of_somebody_else_is_passed_over_with_a_note(repository: Path) -> None:
    path = repository / "a" / "agentctl.toml"
    path.write_text("this is not even TOML")
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
        search = find_project(repository / "a")
    else:
        search = find_project(repository / "a", user=NOBODY)
    assert search.project is None
    assert "owned by user" in search.notes[0]
    assert str(path) in search.notes[0]


def test_a_link_out_of_the_repository_is_passed_over(repository: Path) -> None:
    outside = repository.parent / "outside.toml"
    outside.write_text('model = "m"')
    (repository / "a" / "agentctl.toml").symlink_to(outside)
    (repository / "agentctl.toml").symlink_to(repository / "real.toml")
    (repository / "real.toml").write_text('model = "inside"')
    search = find_project(repository / "a")
    assert search.project is not None
    assert search.project.values == {"model": "inside"}
    assert "a file outside" in search.notes[0]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_regular_file_is_passed_over(repository: Path, kind: str) -> None:
    path = repository / "agentctl.toml"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    search = find_project(repository)
    assert search.project is None
    assert "not a regular file" in search.notes[0]
    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_project(path)


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        read_project(tmp_path / "agentctl.toml")


def test_a_project_names_agents_model_settings_and_limits() -> None:
    project = project_of(
        """
        model = "gpt-5-mini"
        agent = "reviewer"
        max_turns = 5
        timeout = "5m"
        [settings]
        temperature = 0.5
        reasoning.effort = "low"
        [agents]
        reviewer = "agents/review.py:agent"
        writer = "package.module:writer"
        """
    )
    assert project.values == {
        "model": "gpt-5-mini",
        "agent": "reviewer",
        "max_turns": 5,
        "timeout": "5m",
        "settings.temperature": 0.5,
        "settings.reasoning.effort": "low",
    }
    assert project.agents == {"reviewer": "agents/review.py:agent", "writer": "package.module:writer"}
    assert project.references == ("agents/review.py:agent", "package.module:writer")


def test_the_default_agent_may_be_code_itself() -> None:
    assert project_of('agent = "a.py:agent"').references == ("a.py:agent",)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('transport = "http"', "transport"),
        ('api = "chat_completions"', "api"),
        ('key_command = ["op", "read"]', "key_command"),
        ('client.base_url = "https://evil.example/v1"', "client.base_url"),
        ('client.websocket_base_url = "wss://evil.example/v1"', "client.websocket_base_url"),
        ('[client]\nkey = "none"', "client.key"),
        ('[client]\nca_file = "evil.pem"', "client.ca_file"),
        ('[settings.extra_headers]\nx = "y"', "settings.extra_headers.x"),
        ('[settings.extra_body]\nx = "y"', "settings.extra_body.x"),
        ('[settings.extra_query]\nx = "y"', "settings.extra_query.x"),
        ('[settings.extra_args]\nx = "y"', "settings.extra_args.x"),
    ],
)
def test_what_only_the_user_may_decide_is_refused(text: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match="a project file may not set this") as caught:
        project_of(text)
    assert str(caught.value).startswith(f"/p/agentctl.toml:{text.count(chr(10)) + 1}: {key}: ")
    assert f"`agentctl config set {'.'.join(key.split('.')[:2])}`" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('modle = "m"', "/p/agentctl.toml:1: modle: unknown key 'modle'; did you mean 'model'?"),
        (
            'api_key = "sk-very-secret"',
            "/p/agentctl.toml:1: api_key: unknown key 'api_key'; use `agentctl config set-key`",
        ),
        ("max_turns = 0", "max_turns: must be an integer of at least 1, not 0"),
        ("model = ", "/p/agentctl.toml:1: column 9: is not valid TOML"),
        ('agents = "x"', "agents: must be a table"),
        ('[agents]\n"a b" = "x.py:a"', 'agents."a b": must be a name'),
        ("[agents]\n# a\na = 5", "/p/agentctl.toml:3: agents.a: must be a reference"),
        ('[agents]\na = "x/y.txt"', "agents.a: 'x/y.txt' is not a reference"),
        ('[agents]\na = "y/x.sh:run"', "agents.a: "),
        ('[agents]\na = "x.py:1"', "agents.a: '1' in 'x.py:1' is not an attribute name"),
        ('[agents]\na = "b"', "agents.a: 'b' is a name"),
        ('[agents]\na = "../x.py:a"', "agents.a: '../x.py' is outside the project"),
        ('[agents]\na = "/etc/x.py:a"', "agents.a: '/etc/x.py' is outside the project"),
        ('agent = "../x.py:a"', "agent: '../x.py' is outside"),
        ('agent = "reviewr"\n[agents]\nreviewer = "x.py:a"', "did you mean 'reviewer'?"),
        ('[agents]\na = "\\u0000.py:a"', "agents.a: "),
    ],
)
def test_a_wrong_project_names_file_key_and_remedy(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        project_of(text)
    assert message in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_a_reference_through_a_link_out_of_the_project_is_refused(repository: Path) -> None:
    (repository.parent / "outside").mkdir()
    (repository / "link").symlink_to(repository.parent / "outside")
    with pytest.raises(ConfigurationError, match="is outside the project"):
        project_of('[agents]\na = "link/x.py:a"', repository / "agentctl.toml")


@hypothesis_settings(deadline=None)
@given(st.text(max_size=60))
def test_any_reference_is_fine_or_a_configuration_error(reference: str) -> None:
    import tomli_w

    try:
        project = project_of(tomli_w.dumps({"agents": {"a": reference}}))
    except (ConfigurationError, UnicodeEncodeError):
        return
    assert project.agents == {"a": reference}
