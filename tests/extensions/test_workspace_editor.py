"""The workspace editor: what it changes, and that nothing outside its folder is touched, whatever is in the way."""

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl import ApplyPatchOperation, UserError
from agentctl.extensions.workspace_editor import WorkspaceEditor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret\n")
    return outside


@pytest.fixture
def editor(folder: Path) -> WorkspaceEditor:
    return WorkspaceEditor(folder)


def create(path: str, diff: str = "+new") -> ApplyPatchOperation:
    return ApplyPatchOperation("create_file", path, diff)


def update(path: str, diff: str = "-old\n+new", **more: Any) -> ApplyPatchOperation:
    return ApplyPatchOperation("update_file", path, diff, **more)


def delete(path: str) -> ApplyPatchOperation:
    return ApplyPatchOperation("delete_file", path)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_files_are_created_with_their_folders_updated_and_deleted(folder: Path, editor: WorkspaceEditor) -> None:
    assert editor.create_file(create("a/b/c.txt", "+old\n+")).output == "created a/b/c.txt"
    assert (folder / "a/b/c.txt").read_text() == "old\n"
    assert editor.update_file(update("a/b/c.txt")).output == "updated a/b/c.txt"
    assert (folder / "a/b/c.txt").read_text() == "new\n"
    assert editor.delete_file(delete("./a//b/c.txt")).output == "deleted a/b/c.txt"
    assert names(folder) == ["a", "a/b"]


def test_a_file_is_moved(folder: Path, editor: WorkspaceEditor) -> None:
    (folder / "a").write_text("old\n")
    os.chmod(folder / "a", 0o750)
    assert editor.update_file(update("a", move_to="to/b")).output == "updated a and moved it to to/b"
    assert names(folder) == ["to", "to/b"]
    assert (folder / "to/b").read_text() == "new\n"
    assert stat.S_IMODE((folder / "to/b").stat().st_mode) == 0o750
    (folder / "c").write_text("old\n")
    with pytest.raises(UserError, match="already exists"):
        editor.update_file(update("c", move_to="to/b"))
    with pytest.raises(UserError, match="is outside the workspace"):
        editor.update_file(update("c", move_to="../c"))
    assert (folder / "c").read_text() == "old\n"


def test_a_path_below_the_folder_may_be_absolute(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    editor = WorkspaceEditor(tmp_path / "link")
    editor.create_file(create(f"{tmp_path}/link/a"))
    editor.create_file(create(f"{os.path.realpath(folder)}/b"))
    assert names(folder) == ["a", "b"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a/..", "..", "/etc/x", "//etc/x", "{outside}/x", "{folder}x/y"])
def test_a_path_that_leads_out_is_refused(folder: Path, outside: Path, editor: WorkspaceEditor, path: str) -> None:
    path = path.format(outside=outside, folder=folder)
    for act, operation in ((editor.create_file, create), (editor.update_file, update), (editor.delete_file, delete)):
        with pytest.raises(UserError, match="is outside the workspace"):
            act(operation(path))
    assert names(folder) == []
    assert names(outside) == ["secret"]


@pytest.mark.parametrize("path", ["", ".", "/", "a/", "a\0b"])
def test_what_is_no_path_of_a_file_is_refused(folder: Path, editor: WorkspaceEditor, path: str) -> None:
    with pytest.raises(UserError):
        editor.create_file(create(path))
    assert names(folder) == []


@pytest.mark.parametrize("inside", [False, True])
def test_no_symbolic_link_is_followed(folder: Path, outside: Path, editor: WorkspaceEditor, inside: bool) -> None:
    target = folder / "real" if inside else outside
    target.mkdir(exist_ok=True)
    (target / "secret").write_text("old\n")
    (folder / "dir").symlink_to(target)
    (folder / "file").symlink_to(target / "secret")
    (folder / "dangling").symlink_to(target / "missing")
    before = names(target)
    for path in ("dir/secret", "file"):
        with pytest.raises(UserError, match="symbolic link"):
            editor.update_file(update(path))
    for path in ("dir/new", "dir/sub/new"):
        with pytest.raises(UserError, match="symbolic link"):
            editor.create_file(create(path))
    with pytest.raises(UserError, match="symbolic link"):
        editor.delete_file(delete("dir/secret"))
    for path in ("file", "dangling"):
        with pytest.raises(UserError, match="already exists"):
            editor.create_file(create(path))
        with pytest.raises(UserError, match="folders and links are not deleted"):
            editor.delete_file(delete(path))
    assert names(target) == before
    assert (target / "secret").read_text() == "old\n"


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(folder: Path, outside: Path) -> None:
    """A thread swaps a folder and a link to the outside as fast as it can; the editor never writes through the link."""
    (folder / "real").mkdir()
    (folder / "real/secret").write_text("secret\n")
    (folder / "link").symlink_to(outside)
    editor = WorkspaceEditor(folder)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for kind in ("real", "link"):
                os.rename(folder / kind, folder / "d")
                os.rename(folder / "d", folder / kind)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(300):
            with suppress(UserError):
                editor.update_file(update("d/secret", "+more"))
    finally:
        over.set()
        swapper.join()
    assert names(outside) == ["secret"]
    assert (outside / "secret").read_text() == "secret\n"


def test_mode_and_line_ends_of_a_file_stay_and_nothing_is_left_beside_it(folder: Path, editor: WorkspaceEditor) -> None:
    script = folder / "script"
    script.write_bytes(b"old\r\n")
    os.chmod(script, 0o755)
    editor.update_file(update("script"))
    assert script.read_bytes() == b"new\r\n"
    assert stat.S_IMODE(script.stat().st_mode) == 0o755
    assert names(folder) == ["script"]


def test_a_reader_sees_the_old_file_or_the_new_one(folder: Path, editor: WorkspaceEditor) -> None:
    (folder / "a").write_text("old\n")
    with (folder / "a").open() as reader:
        editor.update_file(update("a"))
        assert reader.read() == "old\n"


def test_another_name_of_the_same_file_keeps_the_old_text(folder: Path, outside: Path, editor: WorkspaceEditor) -> None:
    os.link(outside / "secret", folder / "a")
    editor.update_file(update("a", "-secret\n+changed"))
    assert (outside / "secret").read_text() == "secret\n"
    assert (folder / "a").read_text() == "changed\n"


def test_a_new_file_has_the_mode_that_new_files_have(folder: Path, editor: WorkspaceEditor) -> None:
    (folder / "usual").touch()
    editor.create_file(create("new"))
    assert (folder / "new").stat().st_mode == (folder / "usual").stat().st_mode


def test_what_cannot_be_done_is_said_and_changes_nothing(folder: Path, editor: WorkspaceEditor) -> None:
    (folder / "dir").mkdir()
    (folder / "file").write_text("other\n")
    (folder / "bytes").write_bytes(b"\xff\xfe")
    os.mkfifo(folder / "pipe")
    before = names(folder)
    for path, said in (
        ("none", "'none' cannot be changed: No such file"),
        ("no/ne", "'no' cannot be changed: No such file"),
        ("dir", "not a regular file"),
        ("pipe", "not a regular file"),
        ("bytes", "not UTF-8 text"),
        ("file/x", "something that is not a folder"),
    ):
        with pytest.raises(UserError, match=said):
            editor.update_file(update(path))
    with pytest.raises(ValueError, match="hunk 1 does not match"):
        editor.update_file(update("file"))
    with pytest.raises(ValueError, match="does not start with"):
        editor.create_file(create("new/file", "no plus"))
    with pytest.raises(UserError, match="already exists"):
        editor.create_file(create("file"))
    with pytest.raises(UserError, match="'none' cannot be changed: No such file"):
        editor.delete_file(delete("none"))
    with pytest.raises(UserError, match="folders and links are not deleted"):
        editor.delete_file(delete("dir"))
    assert names(folder) == before
    assert (folder / "file").read_text() == "other\n"


def test_a_file_that_is_too_large_is_not_read(folder: Path, editor: WorkspaceEditor) -> None:
    with (folder / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="too large: the limit is 16 MiB"):
        editor.update_file(update("large"))


def test_changes_of_one_file_at_the_same_time_are_all_made(folder: Path, editor: WorkspaceEditor) -> None:
    (folder / "a").write_text("".join(f"{number}\n" for number in range(20)))
    changes = [
        threading.Thread(target=editor.update_file, args=(update("a", f"-{number}\n+new {number}"),))
        for number in range(20)
    ]
    for change in changes:
        change.start()
    for change in changes:
        change.join()
    assert (folder / "a").read_text() == "".join(f"new {number}\n" for number in range(20))


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        WorkspaceEditor(tmp_path / "none")


PART = st.sampled_from(["..", ".", "", "a", "b", "link", "file", "\\..", "...", " ", "~"])


@given(st.lists(PART, min_size=1, max_size=6).map("/".join))
def test_no_path_whatever_leads_out(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    root = tmp_path_factory.mktemp("any")
    folder, outside = root / "in", root / "out"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to("../out")
    (folder / "file").symlink_to("../out/file")
    try:
        WorkspaceEditor(folder).create_file(create(path))
    except UserError:
        assert set(names(folder)) >= {"file", "link"}
    assert names(outside) == []
    assert sorted(os.listdir(root)) == ["in", "out"]
