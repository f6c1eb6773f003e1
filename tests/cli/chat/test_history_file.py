"""The file of what was sent before."""

from pathlib import Path

from agentctl.cli.chat.history_file import MAX_BYTES, MAX_ENTRIES, HistoryFile
from agentctl.redaction import register_secret


def test_entries_of_any_form_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.jsonl"
    entries = ["one", "two\nlines", "ü 漢 \u2028 \ud800", '"quoted"', ""]
    for entry in entries:
        HistoryFile(path).append(entry)
    assert HistoryFile(path).entries() == entries
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.touch(0o644)
    HistoryFile(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'"whole"\n["no text"]\n\xff\n"cut o')
    HistoryFile(path).append("next")
    assert HistoryFile(path).entries() == ["whole", "next"]


def test_a_large_file_is_cut_down_to_its_newest_entries(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("".join(f'"{number:0>700}"\n' for number in range(MAX_BYTES // 700 + 1)))
    file = HistoryFile(path)
    assert path.stat().st_size < MAX_BYTES
    assert len(file.entries()) == MAX_ENTRIES
    assert file.entries()[-1] == f"{MAX_BYTES // 700:0>700}"


def test_a_secret_is_not_kept(tmp_path: Path) -> None:
    register_secret("sk-history-canary")
    file = HistoryFile(tmp_path / "history.jsonl")
    file.append("my key is sk-history-canary")
    assert "canary" not in file.entries()[0]
