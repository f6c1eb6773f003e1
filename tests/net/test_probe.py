import asyncio
import socket
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from agentctl.errors import AuthenticationError, ConfigurationError, RequestRejectedError, ServiceUnavailableError
from agentctl.net.endpoint import Endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.probe import ConnectTimings, probe_connection, probe_websocket
from agentctl.net.unreachable import CERTIFICATE_REFUSED, CONNECT_FAILED
from agentctl.net.websocket import UpgradeFailed, WebSocketPipe
from tests.net.server import AUTHORITY, answering
from tests.service.client import Service
from tests.service.steps import closed, http_error, text
from tests.service.steps import upgrade as accepted


def reached(base_url: str, *, ca_file: Path | None = None, environ: Mapping[str, str] | None = None) -> ConnectTimings:
    endpoint = Endpoint(base_url=base_url, key="k-probe")
    return asyncio.run(probe_connection(endpoint, HttpOptions(ca_file=ca_file), environ=environ or {}))


def upgraded(service: Service, *, listen: float = 20) -> float:
    endpoint = Endpoint(base_url=service.base_url, key="k-probe")
    return asyncio.run(probe_websocket(WebSocketPipe(endpoint, HttpOptions(), environ={}), listen=listen))


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as reserved:
        port: int = reserved.getsockname()[1]
    return port


def test_a_plain_connection_has_no_handshake_and_sends_nothing(service: Service) -> None:
    found = reached(service.base_url)
    assert (found.handshake, found.tls, found.proxy) == (None, None, None)
    assert min(found.lookup, found.connect) > 0
    assert service.requests() == []


def test_a_trusted_certificate_shows_the_version_of_tls() -> None:
    with answering(tls=True) as server:
        found = reached(f"{server.origin}/v1", ca_file=AUTHORITY)
    assert found.tls is not None
    assert found.tls.startswith("TLSv1.")
    assert found.handshake is not None
    assert found.handshake > 0
    assert server.seen == []


def test_a_certificate_that_is_not_trusted_is_named() -> None:
    with answering(tls=True) as server, pytest.raises(RequestRejectedError, match="is not trusted") as failed:
        reached(f"{server.origin}/v1")
    assert failed.value.code == CERTIFICATE_REFUSED


def test_a_name_that_nobody_knows_and_a_port_that_nobody_has_are_told_apart() -> None:
    with pytest.raises(ServiceUnavailableError, match="cannot be resolved") as unknown:
        reached("http://nobody.invalid/v1")
    assert unknown.value.code == CONNECT_FAILED
    with pytest.raises(ServiceUnavailableError, match="connection refused"):
        reached(f"http://127.0.0.1:{free_port()}/v1")


def test_a_name_with_an_empty_label_is_no_crash() -> None:
    with pytest.raises(ServiceUnavailableError):
        reached(f"http://{'a' * 70}.invalid/v1")


def test_a_proxy_is_what_is_reached() -> None:
    with answering() as proxy:
        found = reached("https://service.example/v1", environ={"https_proxy": proxy.origin})
    assert found.proxy is not None
    assert found.proxy.display_url == proxy.origin
    assert found.tls is None
    gone = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ServiceUnavailableError, match=f"through the proxy {gone}"):
        reached("https://service.example/v1", environ={"https_proxy": gone})


def test_a_file_of_certificates_that_is_missing_is_misconfigured(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        reached("https://127.0.0.1:1/v1", ca_file=tmp_path / "missing.pem")


def test_a_socket_that_stays_open_is_timed_and_left(service: Service) -> None:
    assert upgraded(service, listen=0.05) > 0
    (connection,) = service.wait_for_connections(1, ended=1)
    assert (connection["status"], connection["ended"]["by"], connection["requests"]) == (101, "client", 0)


def test_a_refused_upgrade_says_its_status(service: Service) -> None:
    service.script_upgrades(http_error(426))
    with pytest.raises(UpgradeFailed, match="426"):
        upgraded(service)


def test_a_socket_that_is_closed_at_once_says_its_code(service: Service) -> None:
    service.script_upgrades(accepted(then=closed(1008, "not for you", of=text())))
    with pytest.raises(ServiceUnavailableError, match="1008 not for you"):
        upgraded(service)


def test_a_key_that_is_refused_is_unauthorized(service: Service) -> None:
    service.key = "k-other"
    with pytest.raises(AuthenticationError):
        upgraded(service)
