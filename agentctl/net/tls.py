"""The TLS context of every transport: the system's authorities, or SSL_CERT_FILE and SSL_CERT_DIR, and `ca_file`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""The usual locations of the authorities on Linux and BSD; many builds of OpenSSL look elsewhere."""


def tls_context(ca_file: Path | None, environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that verifies the peer against the trusted authorities.

    SSL_CERT_FILE and SSL_CERT_DIR replace the system's authorities; `ca_file` is added to either.

    Raises:
        ConfigurationError: a named file or folder is missing, or contains no certificates.
    """
    # 14 ms: imported for https only.
    import ssl

    named_file, named_folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if named_file or named_folder:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if named_file:
            _trust_file(context, Path(named_file), "SSL_CERT_FILE")
        if named_folder:
            _trust_folder(context, Path(named_folder), "SSL_CERT_DIR")
    else:
        context = _system_context()
    if ca_file is not None:
        _trust_file(context, ca_file, "client.ca_file")
    return context


def _system_context() -> ssl.SSLContext:
    import ssl

    if sys.platform in ("darwin", "win32"):
        # The keychain and the certificate store are not files; httpx2 depends on this package for the same reason.
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.openssl_capath)
    if Path(paths.openssl_cafile).is_file():
        context.load_verify_locations(paths.openssl_cafile)
    elif folder.is_dir() and any(folder.glob("*.0")):
        context.load_verify_locations(capath=folder)  # Read on demand during handshakes.
    else:
        for bundle in filter(lambda path: Path(path).is_file(), _SYSTEM_BUNDLES):
            context.load_verify_locations(bundle)
            break
    return context


def _trust_file(context: ssl.SSLContext, file: Path, key: str) -> None:
    import ssl

    if not file.is_file():
        raise ConfigurationError("no such certificate file", file=file, key=key)
    try:
        context.load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError) as error:
        reason = error.strerror if isinstance(error, PermissionError) else "it contains no PEM certificates"
        raise ConfigurationError(f"the certificates cannot be read: {reason}", file=file, key=key) from error


def _trust_folder(context: ssl.SSLContext, folder: Path, key: str) -> None:
    if not folder.is_dir():
        raise ConfigurationError("no such certificate folder", file=folder, key=key)
    context.load_verify_locations(capath=folder)
