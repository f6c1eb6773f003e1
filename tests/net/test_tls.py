import ssl
from pathlib import Path

import pytest

from agentctl.errors import ConfigurationError
from agentctl.net.tls import tls_context
from tests.net.server import AUTHORITY

NAME = "agentctl test authority"


def names(context: ssl.SSLContext) -> list[str]:
    return [part[0][1] for authority in context.get_ca_certs() for part in [authority["subject"][-1]]]  # type: ignore[index,misc]


def test_a_context_verifies_names_and_certificates() -> None:
    context = tls_context(None, {})
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_file_of_ones_own_is_added_to_what_is_trusted(tmp_path: Path) -> None:
    assert NAME in names(tls_context(AUTHORITY, {}))
    before = len(names(tls_context(None, {})))
    assert len(names(tls_context(AUTHORITY, {}))) == before + 1


def test_ssl_cert_file_takes_the_place_of_the_systems_authorities() -> None:
    assert names(tls_context(None, {"SSL_CERT_FILE": str(AUTHORITY)})) == [NAME]


def test_ssl_cert_dir_takes_the_place_of_the_systems_authorities(tmp_path: Path) -> None:
    assert names(tls_context(None, {"SSL_CERT_DIR": str(tmp_path)})) == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_variable_that_names_nothing_is_an_error(variable: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"missing.*{variable}"):
        tls_context(None, {variable: str(tmp_path / "missing")})


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.pem: client\.ca_file"):
        tls_context(tmp_path / "missing.pem", {})


@pytest.mark.parametrize("content", [b"", b"not a certificate", b"\xff\xfe\x00", AUTHORITY.read_bytes()[:200]])
def test_a_file_that_is_no_pem_is_an_error_that_names_it(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"authority\.pem: client\.ca_file"):
        tls_context(file, {})
