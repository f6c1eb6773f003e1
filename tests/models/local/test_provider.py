import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.agent.ports import ModelRequest
from agentctl.errors import ConfigurationError
from agentctl.models.local.model import LocalModel, LocalProvider


async def drain(model: LocalModel) -> None:
    async for _ in model.stream(ModelRequest(input="Hi")):
        pass


def fails_with(name: str | None, match: str) -> None:
    model = LocalProvider(os.environ).get_model(name)
    with pytest.raises(ConfigurationError, match=match):
        asyncio.run(drain(model))


def gguf(folder: Path) -> str:
    path = folder / "model.gguf"
    path.write_bytes(b"GGUF")
    return str(path)


def test_no_name_means_the_shipped_model() -> None:
    provider = LocalProvider()
    assert provider.get_model(None) is provider.get_model("smollm2")
    assert provider.get_model(None).model_name == "local/smollm2"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no local model 'llama'.*smollm2"):
        LocalProvider().get_model("llama")


@pytest.mark.parametrize("name", ["/nowhere/model.gguf", "model.gguf", "~/model.gguf"])
def test_a_missing_file_is_named(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    with pytest.raises(ConfigurationError, match=r"model\.gguf: no such file"):
        LocalProvider().get_model(name)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a file"):
        LocalProvider().get_model(str(tmp_path))


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    fails_with(gguf(tmp_path), r"-m pip install 'xllamacpp>=[\d.]+'")


def test_a_missing_extra_is_named_before_weights_are_fetched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    fails_with(None, r"-m pip install 'xllamacpp>=[\d.]+'")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("libgomp.so.1: cannot open shared object file: No such file or directory", "apt-get install libgomp1"),
        ("undefined symbol: ggml", "reinstall it"),
    ],
)
def test_a_runtime_that_does_not_load_is_explained(
    error: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text(f"raise ImportError({error!r})\n")
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    fails_with(gguf(tmp_path), remedy)


def test_a_file_that_is_no_gguf_is_named(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = tmp_path / "notes.gguf"
    path.write_text("hello")
    fails_with(str(path), r"notes\.gguf: not a GGUF file")


def test_under_ci_nothing_is_fetched_unasked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    monkeypatch.setenv("CI", "true")
    fails_with("smollm2", "agentctl models pull smollm2")


def test_finding_a_model_does_not_import_the_runtime() -> None:
    script = "import sys; from agentctl.models.local.model import LocalProvider; LocalProvider().get_model(None)"
    script += "; print(sorted({'xllamacpp', 'openai', 'pydantic', 'httpx2', 'filelock'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
