"""The SDK's source archive, which holds its tests and its examples."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

DISTRIBUTION = "openai-agents==0.24.0"


def unpack(given: Path | None, folder: Path) -> Path:
    """Return a copy below `folder` of the source that was given, as a folder or as an archive, or of a download."""
    source = _download(folder / "download") if given is None else given
    copy = folder / "source"
    if source.is_dir():
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        return copy
    with tarfile.open(source) as archive:
        archive.extractall(copy, filter="data")
    (root,) = copy.iterdir()
    return root


def _download(folder: Path) -> Path:
    options = ["--quiet", "--no-deps", "--no-binary", "openai-agents", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, DISTRIBUTION], check=True)
    (archive,) = folder.glob("*.tar.gz")
    return archive
