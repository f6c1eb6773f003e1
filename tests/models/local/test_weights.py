import os
from pathlib import Path

import pytest

from agentctl.errors import ConfigurationError
from agentctl.models.local.weights import (
    SMOLLM2,
    WeightsState,
    known_weights,
    remove,
    smollm2_ready,
    state_of,
    weights_folder,
)
from tests.models.local.tiny import CONTENT, Tiny, build


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return build(tmp_path, {})


def put(folder: Path, content: bytes) -> Path:
    path = folder / "tiny.gguf"
    path.write_bytes(content)
    return path


def test_what_is_not_there_is_missing(tiny: Tiny, tmp_path: Path) -> None:
    assert state_of(tiny.weights, tmp_path) is WeightsState.MISSING
    assert state_of(tiny.weights, tmp_path / "nowhere") is WeightsState.MISSING


def test_the_right_bytes_are_ready(tiny: Tiny, tmp_path: Path) -> None:
    put(tmp_path, CONTENT)
    assert state_of(tiny.weights, tmp_path) is WeightsState.READY
    assert state_of(tiny.weights, tmp_path) is WeightsState.READY


def test_a_file_of_another_length_is_damaged(tiny: Tiny, tmp_path: Path) -> None:
    put(tmp_path, CONTENT[:-1])
    assert state_of(tiny.weights, tmp_path) is WeightsState.DAMAGED


def test_a_byte_changed_after_the_check_is_seen(tiny: Tiny, tmp_path: Path) -> None:
    path = put(tmp_path, CONTENT)
    assert state_of(tiny.weights, tmp_path) is WeightsState.READY
    with path.open("r+b") as file:
        file.seek(50_000)
        file.write(b"\xff\xff")
    assert state_of(tiny.weights, tmp_path) is WeightsState.DAMAGED


def test_removing_says_whether_there_was_something(tiny: Tiny, tmp_path: Path) -> None:
    put(tmp_path, CONTENT)
    assert remove(tiny.weights, tmp_path)
    assert not remove(tiny.weights, tmp_path)
    assert not remove(tiny.weights, tmp_path / "nowhere")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'gpt-9'.*smollm2.*local//path"):
        known_weights("gpt-9")


def test_weights_live_in_the_data_folder(home: Path) -> None:
    assert weights_folder(os.environ) == home / ".agentctl" / "models"


def test_without_a_home_folder_the_way_out_is_named() -> None:
    with pytest.raises(ConfigurationError, match="AGENTCTL_HOME"):
        weights_folder({"HOME": "/nonexistent"})


def test_weights_of_the_wrong_size_are_not_ready(home: Path) -> None:
    assert not smollm2_ready(os.environ)
    folder = weights_folder(os.environ)
    folder.mkdir(parents=True)
    (folder / SMOLLM2.file_name).write_bytes(b"GGUF")
    assert not smollm2_ready(os.environ)
    assert not smollm2_ready({"HOME": "/nonexistent"})
