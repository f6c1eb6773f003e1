"""An editor for the apply-patch tool, which changes text files in and below one folder only.

Folders are opened one by one from the workspace down, without following symbolic links, and stay open while the file
is changed, so that replacing one of them meanwhile cannot redirect the change.
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

_MAX_SIZE = 16 * 1024 * 1024
"""Maximum size in bytes of a file to change."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class WorkspaceEditor:
    """Changes files below a folder: `ApplyPatchTool(editor=WorkspaceEditor("."))`."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Set the folder that paths are relative to.

        Raises:
            UserError: the folder does not exist, or the system cannot confine changes to it.
        """
        if os.open not in os.supports_dir_fd:
            raise UserError("this system cannot confine changes to a folder: implement your own ApplyPatchEditor")
        self._absolute = os.path.abspath(folder)
        self._folder = os.path.realpath(folder)
        if not os.path.isdir(self._folder):
            raise UserError(f"cannot change files in {os.fspath(folder)!r}: no such folder")
        self._lock = threading.Lock()

    def create_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        """Create a file and its missing parent folders.

        Raises:
            UserError: the path is outside the workspace, exists, or cannot be written.
            ValueError: the diff is malformed.
        """
        path = self._path(operation.path)
        content = apply_diff("", operation.diff or "", "create")
        with self._lock, self._parent(path, creates=True) as place:
            place.write_new(content)
        return ApplyPatchResult(output=f"created {path}")

    def update_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        """Change a file, and move it if the operation has a new path.

        Raises:
            UserError: the path is outside the workspace, or is not a readable and writable text file.
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
        return ApplyPatchResult(output=f"updated {path} and moved it to {new_path}")

    def delete_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        """Delete a file.

        Raises:
            UserError: the path is outside the workspace, or the file does not exist.
        """
        path = self._path(operation.path)
        with self._lock, self._parent(path) as place:
            place.delete()
        return ApplyPatchResult(output=f"deleted {path}")

    def _path(self, path: str) -> str:
        """Validate a path and return it relative to the folder."""
        for folder in (self._absolute, self._folder):
            if path.startswith(f"{folder.rstrip('/')}/"):
                path = path[len(folder.rstrip("/")) + 1 :]
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts:
            raise UserError(f"{path!r} is outside the workspace: use a path relative to it, without '..'")
        if not parts or "\0" in path or path.endswith("/"):
            raise UserError(f"{path!r} is not a file path")
        return "/".join(parts)

    @contextmanager
    def _parent(self, path: str, *, creates: bool = False) -> Iterator[_Place]:
        """Open the parent folder of a file for the duration of the block, and create missing ones if requested."""
        *folders, name = path.split("/")
        parent = os.open(self._folder, _FOLDER)
        try:
            for depth, folder in enumerate(folders, 1):
                with _name_path("/".join(folders[:depth])):
                    if creates:
                        with suppress(FileExistsError):
                            os.mkdir(folder, dir_fd=parent)
                    child = os.open(folder, _FOLDER, dir_fd=parent)
                os.close(parent)
                parent = child
            with _name_path(path):
                yield _Place(folder=parent, name=name, path=path)
        finally:
            os.close(parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A path of an existing or new file in an open folder."""

    folder: int
    """Descriptor of the open folder."""
    name: str
    path: str

    def read(self) -> tuple[str, os.stat_result]:
        """Return the text of the file and its status."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.name, flags, dir_fd=self.folder)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{self.path!r} is not a regular file")
            if status.st_size > _MAX_SIZE:
                raise UserError(f"{self.path!r} is too large: the limit is {_MAX_SIZE >> 20} MiB")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read()
        finally:
            os.close(descriptor)
        try:
            return data.decode("utf-8"), status
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path!r} is not UTF-8 text") from error

    def replace(self, text: str, read: os.stat_result) -> None:
        """Replace the file that was read atomically, keeping its mode and owner."""
        with self._temporary(text, read) as temporary:
            current = self._status()
            if current is None or _version(current) != _version(read):
                raise UserError(f"{self.path!r} was changed by another program meanwhile: read it again")
            os.replace(temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def write_new(self, text: str, like: os.stat_result | None = None) -> None:
        """Write a new file."""
        if self._status() is not None:
            raise UserError(f"{self.path!r} already exists")
        with self._temporary(text, like) as temporary:
            os.replace(temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def delete(self) -> None:
        """Delete the file."""
        status = self._status()
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise UserError(f"{self.path!r} is not a regular file: folders and links are not deleted")
        os.unlink(self.name, dir_fd=self.folder)

    @contextmanager
    def _temporary(self, text: str, like: os.stat_result | None) -> Iterator[str]:
        """Write text to a temporary file and yield its name; the file is deleted unless it was renamed."""
        temporary = f".{os.urandom(8).hex()}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = 0o666 if like is None else 0o600
        try:
            with open(os.open(temporary, flags, mode, dir_fd=self.folder), "wb") as file:
                file.write(text.encode("utf-8"))
                file.flush()
                if like is not None:
                    _copy_metadata(file.fileno(), like)
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


def _copy_metadata(descriptor: int, like: os.stat_result) -> None:
    """Give a new file the owner and mode of the file that it replaces."""
    if like.st_uid != os.geteuid() or like.st_gid != os.getegid():
        with suppress(OSError):
            os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


@contextmanager
def _name_path(path: str) -> Iterator[None]:
    """Translate errors of the system to messages that name the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            problem = "is, or passes through, a symbolic link or something that is not a folder"
        else:
            problem = f"cannot be changed: {error.strerror}"
        raise UserError(f"{path!r} {problem}") from error
