"""The profile in config.toml."""

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agentctl.errors import ConfigurationError
from agentctl.profile.document import MAX_BYTES, parse_document
from agentctl.profile.store import load_profile, set_values, unset_value

IS_ROOT = sys.platform != "win32" and os.geteuid() == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agentctl" / "config.toml"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def message_of(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_profile(path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path))


def test_a_missing_profile_says_nothing(path: Path) -> None:
    assert load_profile(path).values == {}


def test_a_missing_profile_that_the_user_named_is_an_error(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_profile(path, required=True)


def test_values_come_back_as_they_were_set(path: Path) -> None:
    values = {"model": "gpt-5-mini", "client.retries": 3, "settings.reasoning.effort": "low", "timeout": "5m"}
    set_values(path, values)
    assert load_profile(path).values == values
    assert tomllib.loads(path.read_text())["profiles"]["default"]["client"] == {"retries": 3}


def test_a_new_profile_is_the_users_alone(path: Path) -> None:
    set_values(path, {"model": "m"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_other_profiles_are_kept(path: Path) -> None:
    write(path, '[profiles.work]\nmodel = "theirs"\nnew_key = 1\n')
    set_values(path, {"model": "ours"})
    assert tomllib.loads(path.read_text())["profiles"] == {
        "work": {"model": "theirs", "new_key": 1},
        "default": {"model": "ours"},
    }


def test_unsetting_removes_a_value_or_a_table(path: Path) -> None:
    set_values(path, {"model": "m", "client.retries": 3, "client.organization": "o"})
    assert unset_value(path, "model")
    assert unset_value(path, "client")
    assert not unset_value(path, "client")
    assert load_profile(path).values == {}


def test_unsetting_what_is_not_there_writes_nothing(path: Path) -> None:
    assert not unset_value(path, "model")
    assert not path.exists()


def test_an_unknown_key_can_be_unset(path: Path) -> None:
    write(path, "[profiles.default]\nmodle = 1\n")
    assert unset_value(path, "modle")
    assert load_profile(path).values == {}


def test_what_cannot_be_parsed_names_line_and_column_and_stays(path: Path) -> None:
    text = '[profiles.default]\nmodel = "m"\nmax_turns = = 3\n'
    write(path, text)
    assert message_of(path).startswith(":3: column 13: is not valid TOML: Invalid value")
    for change in (lambda: set_values(path, {"model": "n"}), lambda: unset_value(path, "model")):
        with pytest.raises(ConfigurationError, match="column 13"):
            change()
    assert path.read_text() == text


def test_a_file_that_ends_too_early_names_its_last_line(path: Path) -> None:
    write(path, '[profiles.default]\nmodel = "m')
    assert message_of(path).startswith(":2: column")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[profiles.default]\nmodle = "m"\n', ": profiles.default.modle: unknown key 'modle'; did you mean 'model'?"),
        (
            '[profiles.default]\nmax_turns = "ten"\n',
            ": profiles.default.max_turns: must be an integer of at least 1, not 'ten'",
        ),
        ("[profiles.default]\nclient = 3\n", ": profiles.default.client: must be a table, with names such as"),
        (
            "[profiles.default.model]\nx = 3\n",
            ": profiles.default.model.x: model must be a line of text, and has no nested",
        ),
        ("[profiles.default.settings.metadata]\nx = 1979-05-27\n", ": profiles.default.settings.metadata.x: must be a"),
        (
            "[profiles.default.settings]\ntemperature = {}\n",
            ": profiles.default.settings.temperature: must be a number",
        ),
        ('model = "m"\n', ": model: unknown key; settings belong below [profiles.default]"),
        ("profiles = 3\n", ": profiles: must be a table"),
        ("[profiles]\ndefault = 3\n", ": profiles.default: must be a table"),
        ("x = " + "[" * 50_000, " is nested too deeply"),
        ("a." * 5000 + "b = 1\n", " is nested too deeply"),
        ("x = " + "9" * 5000 + "\n", " is not valid TOML"),
    ],
)
def test_a_wrong_profile_names_file_key_and_remedy(path: Path, text: str, message: str) -> None:
    assert message.strip(": ") in message_of(write(path, text))


def test_a_key_in_the_profile_is_refused_and_not_shown(path: Path) -> None:
    write(path, '[profiles.default.client]\nkey = "sk-very-secret"\n')
    message = message_of(path)
    assert "set-key" in message
    assert "sk-very-secret" not in message


def test_an_empty_table_is_fine(path: Path) -> None:
    write(path, "[profiles.default.client]\n[profiles.default.settings]\n")
    assert load_profile(path).values == {}


def test_a_folder_in_its_place_is_named(path: Path) -> None:
    path.mkdir(parents=True)
    assert "is a folder" in message_of(path)
    with pytest.raises(ConfigurationError, match="is a folder"):
        set_values(path, {"model": "m"})


@pytest.mark.skipif(IS_ROOT, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(path: Path) -> None:
    write(path, "").chmod(0)
    assert "cannot be read: Permission denied" in message_of(path)


def test_a_file_in_the_place_of_the_folder_is_named(path: Path) -> None:
    path.parent.write_text("")
    assert "cannot be read: Not a directory" in message_of(path)
    with pytest.raises(ConfigurationError, match=r"cannot be written: .*AGENTCTL_HOME"):
        set_values(path, {"model": "m"})


def test_another_encoding_is_named_with_the_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'[profiles.default]\nmodel = "\xe9"\n')
    assert message_of(path).startswith(":2: is not UTF-8")
    path.write_bytes('[profiles.default]\nmodel = "m"\n'.encode("utf-16"))
    assert message_of(path).startswith(":1: is not UTF-8")


def test_a_byte_order_mark_and_windows_lines_are_fine(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'\xef\xbb\xbf[profiles.default]\r\nmodel = "m"\r\n')
    assert load_profile(path).values == {"model": "m"}


def test_a_huge_file_is_refused_unread(path: Path) -> None:
    write(path, "#" * (MAX_BYTES + 1))
    assert "larger than 1 MiB" in message_of(path)


def test_a_value_that_would_make_the_file_unreadable_is_not_written(path: Path) -> None:
    set_values(path, {"model": "m"})
    with pytest.raises(ConfigurationError, match="would become larger than"):
        set_values(path, {"agent": "a" * MAX_BYTES})
    with pytest.raises(ConfigurationError, match="no null"):
        set_values(path, {"settings.extra_body.x": None})
    assert load_profile(path).values == {"model": "m"}


def test_without_a_home_nothing_can_be_kept() -> None:
    assert load_profile(None).values == {}
    with pytest.raises(ConfigurationError, match="AGENTCTL_HOME"):
        set_values(None, {"model": "m"})


def test_twenty_processes_at_once_lose_nothing(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from agentctl.profile.store import set_values;"
        "set_values(Path(sys.argv[1]), {f'settings.metadata.k{sys.argv[2]}': sys.argv[2]})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), str(number)]) for number in range(20)]
    assert [writer.wait() for writer in writers] == [0] * 20
    assert load_profile(path).values == {f"settings.metadata.k{number}": str(number) for number in range(20)}


@hypothesis_settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_file_is_a_document_or_a_configuration_error(data: bytes) -> None:
    try:
        document = parse_document(data, Path("config.toml"))
    except ConfigurationError:
        return
    assert isinstance(document, dict)


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, min_size=1, max_size=2),
    max_leaves=4,
)


@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), PLAIN, min_size=1, max_size=3))
def test_any_value_survives_the_file(tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any]) -> None:
    from agentctl.profile.dotted import join, leaves

    path = tmp_path_factory.mktemp("profile") / "config.toml"
    values = {join(("settings", "extra_body", *parts)): value for parts, value in leaves(table)}
    set_values(path, values)
    assert load_profile(path).values == values
