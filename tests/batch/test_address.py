"""Addresses of stores, and the password that none of them shows."""

from pathlib import Path

import pytest

from agentctl.batch.address import StoreAddress
from agentctl.errors import ConfigurationError, OptionError
from agentctl.redaction import redact
from agentctl.storage import Folders


def test_a_password_in_the_url_warns_and_is_shown_nowhere() -> None:
    address = StoreAddress.of("postgresql://me:s3cret-w0rd%21@db.example.com:5433/batches?sslmode=require")
    assert address.url == "postgresql://me@db.example.com:5433/batches?sslmode=require"
    assert address.password == "s3cret-w0rd!"
    assert "other users may see" in address.notes[0]
    assert "s3cret" not in redact("connection to s3cret-w0rd! failed")


def test_the_variable_does_not_warn(tmp_path: Path) -> None:
    environ = {"AGENTCTL_STORE": "postgresql://me:s3cret-w0rd@db/batches"}
    address = StoreAddress.choose(None, environ, None)
    assert (address.url, address.notes) == ("postgresql://me@db/batches", ())
    assert StoreAddress.choose("sqlite:////x/y.db", environ, None).path == Path("/x/y.db")


def test_the_default_is_a_file_of_the_user(tmp_path: Path) -> None:
    folders = Folders(config=tmp_path, data=tmp_path, state=tmp_path / "state")
    assert StoreAddress.choose(None, {}, folders).path == tmp_path / "state" / "batches" / "batches.db"
    with pytest.raises(ConfigurationError, match="no home folder"):
        StoreAddress.choose(None, {}, None)


@pytest.mark.parametrize("text", ["mysql://db/x", "batches.db", "sqlite://", "sqlite://host/x.db", "postgresql://db"])
def test_what_is_no_store(text: str) -> None:
    with pytest.raises(OptionError, match="sqlite:///PATH or postgresql://"):
        StoreAddress.of(text)
