"""An editor for the apply-patch tool: changes text files of one folder and below, and nothing outside.

Folders are entered one by one from the workspace down, without following a symbolic link, and held open while the file
is changed: nothing that is put in their place meanwhile leads out.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from agentctl.agent.tools.apply_diff import apply_diff
from agentctl.agent.tools.apply_patch import ApplyPatchOperation, ApplyPatchResult
from agentctl.errors import UserError

_LARGEST = 16 * 1024 * 1024
"""How many bytes a file may have that is to be changed."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class WorkspaceEditor:
    """Changes files below a folder: `ApplyPatchTool(editor=WorkspaceEditor("."))`."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Take the folder that paths are relative to.

        Raises:
            UserError: there is no such folder, or the system cannot confine changes to one.
        """
        if os.open not in os.supports_dir_fd:
            raise UserError(
                "on this system changes cannot be confined to a folder: write an ApplyPatchEditor of your own"
            )
        self._given = os.path.abspath(folder)
        self._folder = os.path.realpath(folder)
        if not os.path.isdir(self._folder):
            raise UserError(f"files cannot be changed in {os.fspath(folder)!r}: there is no such folder")
        self._lock = threading.Lock()

    def create_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        """Create a file, and the folders it is to be in.

        Raises:
            UserError: the path leads out, is taken, or cannot be written.
            ValueError: the diff is malformed.
        """
        path = self._path(operation.path)
        content = apply_diff("", operation.diff or "", "create")
        with self._lock, self._parent(path, creates=True) as place:
            place.write_new(content)
        return ApplyPatchResult(output=f"created {path}")

    def update_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        """Change a file, and move it where the operation has a path for that.

        Raises:
            UserError: the path leads out, or is no text file that can be read and written.
            ValueError: the diff is malformed, or does not match the file.
        """
        path = self._path(operation.path)
        with self._lock, self._parent(path) as place:
            before, status = place.read()
            after = apply_diff(before, operation.diff or "")
            if operation.move_to is None:
                place.replace(after, status)
                return ApplyPatchResult(output=f"updated {path}")
            new_path = self._path(operation.move_to)
            with self._parent(new_path, creates=True) as new_place:
                new_place.write_new(after, status)
            place.delete()
        return ApplyPatchResult(output=f"updated {path}, now {new_path}")

    def delete_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        """Delete a file.

        Raises:
            UserError: the path leads out, or there is no such file.
        """
        path = self._path(operation.path)
        with self._lock, self._parent(path) as place:
            place.delete()
        return ApplyPatchResult(output=f"deleted {path}")

    def _path(self, path: str) -> str:
        """Return a path relative to the folder, its form checked."""
        for folder in (self._given, self._folder):
            if path.startswith(f"{folder.rstrip('/')}/"):
                path = path[len(folder.rstrip("/")) + 1 :]
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts:
            raise UserError(f"{path!r} leads out of the workspace: give a path relative to it, without '..'")
        if not parts or "\0" in path or path.endswith("/"):
            raise UserError(f"{path!r} is the path of no file")
        return "/".join(parts)

    @contextmanager
    def _parent(self, path: str, *, creates: bool = False) -> Iterator[_Place]:
        """Hold the folder of a file open; folders that are missing are created where that is wanted."""
        *folders, name = path.split("/")
        held = os.open(self._folder, _FOLDER)
        try:
            for depth, folder in enumerate(folders, 1):
                with _told("/".join(folders[:depth])):
                    if creates:
                        with suppress(FileExistsError):
                            os.mkdir(folder, dir_fd=held)
                    entered = os.open(folder, _FOLDER, dir_fd=held)
                os.close(held)
                held = entered
            with _told(path):
                yield _Place(folder=held, name=name, path=path)
        finally:
            os.close(held)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A file, or where one may be, in a folder that is held open."""

    folder: int
    """The open folder."""
    name: str
    path: str

    def read(self) -> tuple[str, os.stat_result]:
        """Return the text of the file, and what it was read from."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.name, flags, dir_fd=self.folder)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{self.path!r} is no file with text")
            if status.st_size > _LARGEST:
                raise UserError(f"{self.path!r} is larger than {_LARGEST >> 20} MiB, too large to be changed here")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read()
        finally:
            os.close(descriptor)
        try:
            return data.decode("utf-8"), status
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path!r} is no text in UTF-8") from error

    def replace(self, text: str, read: os.stat_result) -> None:
        """Put a text in place of the file that was read, whole or not at all; mode and owner stay."""
        with self._written(text, read) as temporary:
            now = self._status()
            if now is None or _version(now) != _version(read):
                raise UserError(f"{self.path!r} was changed meanwhile: read it again")
            os.replace(temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def write_new(self, text: str, like: os.stat_result | None = None) -> None:
        """Put a text where no file is yet."""
        if self._status() is not None:
            raise UserError(f"{self.path!r} exists already")
        with self._written(text, like) as temporary:
            os.replace(temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def delete(self) -> None:
        """Delete the file."""
        status = self._status()
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise UserError(f"{self.path!r} is no file: neither a folder nor a link is deleted")
        os.unlink(self.name, dir_fd=self.folder)

    @contextmanager
    def _written(self, text: str, like: os.stat_result | None) -> Iterator[str]:
        """Be with a temporary file that holds a text; if it is still there at the end, it is deleted."""
        temporary = f".{os.urandom(8).hex()}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = 0o666 if like is None else 0o600
        try:
            with open(os.open(temporary, flags, mode, dir_fd=self.folder), "wb") as file:
                file.write(text.encode("utf-8"))
                file.flush()
                if like is not None:
                    _take_after(file.fileno(), like)
                os.fsync(file.fileno())
            yield temporary
            os.fsync(self.folder)
        finally:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self.folder)

    def _status(self) -> os.stat_result | None:
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None


def _version(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _take_after(descriptor: int, like: os.stat_result) -> None:
    """Give a new file the owner and the mode of the one that it takes the place of."""
    if like.st_uid != os.geteuid() or like.st_gid != os.getegid():
        with suppress(OSError):
            os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Say of what the system refuses which path it is about."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            what = "is, or leads through, a symbolic link or what is no folder; neither is followed"
        else:
            what = f"cannot be changed: {error.strerror}"
        raise UserError(f"{path!r} {what}") from error
