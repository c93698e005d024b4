"""What a scanner of the field, sslyze, finds on a server: nothing weak. Runs where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.server import RunningServer
from tests.helpers.tls import write_certificate

sslyze = pytest.importorskip("sslyze", reason="sslyze is not installed: pip install blastbeat[dev]")

OLD = ("ssl_2_0_cipher_suites", "ssl_3_0_cipher_suites", "tls_1_0_cipher_suites", "tls_1_1_cipher_suites")


def test_nothing_weak_is_found(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path, "a.test")
    path = tmp_path / "scan.toml"
    path.write_text(
        f'[blastbeat]\nbind-ssl = "127.0.0.1:0"\nzmq = "tcp://127.0.0.1:*"\ncertificate = "{certificate}"\n'
        '[vhost."a.test"]\nnode = "app"\n'
    )
    server = RunningServer(path)
    scanner = sslyze.Scanner()
    place = sslyze.ServerNetworkLocation("a.test", server.port, ip_address="127.0.0.1")
    command = sslyze.ScanCommand
    commands = set(command) - {command.CERTIFICATE_INFO, command.HTTP_HEADERS}
    scanner.queue_scans([sslyze.ServerScanRequest(place, scan_commands=commands)])
    [scanned] = scanner.get_results()
    result = scanned.scan_result
    assert result is not None, scanned.connectivity_error_trace

    def found(name: str) -> Any:
        attempt = getattr(result, name)
        assert attempt.result is not None, (name, attempt.error_reason, attempt.error_trace)
        return attempt.result

    for name in OLD:
        assert not found(name).is_tls_version_supported, name
    for name in ("tls_1_2_cipher_suites", "tls_1_3_cipher_suites"):
        suites = [each.cipher_suite.name for each in found(name).accepted_cipher_suites]
        assert suites and all("GCM" in suite or "POLY1305" in suite for suite in suites), suites
        assert all(suite.startswith(("TLS_ECDHE_", "TLS_AES_", "TLS_CHACHA20_")) for suite in suites), suites
    assert not found("tls_compression").supports_compression
    assert not found("heartbleed").is_vulnerable_to_heartbleed
    assert not found("openssl_ccs_injection").is_vulnerable_to_ccs_injection
    assert not found("session_renegotiation").is_vulnerable_to_client_renegotiation_dos
    assert not found("tls_1_3_early_data").supports_early_data
    assert "NOT_VULNERABLE" in found("robot").robot_result.name
    server.stop()
