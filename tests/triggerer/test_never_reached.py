"""If no connection could ever be made, a wait ends after an hour; after any answer it goes on."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.triggers import QUICK, fire, run_loop, seen, seen_more, start_waits


@pytest.fixture(autouse=True)
def _a_short_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._waiting.wait.NEVER_REACHED_GRACE", 1.5, raising=False)
    monkeypatch.setattr("airflow_omics._waiting.wait.LONGEST_BACKOFF", 1.0)


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def first_event(**arguments: Any) -> dict[str, Any]:
    trigger = OmicsRunTrigger("1234567", timeout=20.0, poke_interval=QUICK, **arguments)
    return run_loop(lambda: fire(trigger))


def test_an_endpoint_that_refuses(connect: Any, closed_port: int) -> None:
    connect(endpoint_url=f"http://127.0.0.1:{closed_port}")
    event = first_event()
    assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
    assert (
        "no connection could be made for an hour, and none was ever made (EndpointConnectionError: "
        in (event["message"])
    )
    assert "Check region_name (HealthOmics is not in every Region), endpoint_url, verify" in event["message"]


def test_a_name_that_leads_nowhere(connect: Any) -> None:
    connect(endpoint_url="http://omics.us-east-1.invalid")
    event = first_event()
    assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
    assert "omics.us-east-1.invalid" in event["message"]


def own_certificate(folder: Path) -> ssl.SSLContext:
    """Return the settings of a server whose certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_a_certificate_that_nobody_vouches_for(connect: Any, tmp_path: Path) -> None:
    async def body() -> Any:
        server = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=own_certificate(tmp_path)
        )
        port = server.sockets[0].getsockname()[1]
        connect(endpoint_url=f"https://localhost:{port}")
        async with server:
            return await fire(OmicsRunTrigger("1234567", timeout=20.0, poke_interval=QUICK))

    event = run_loop(body)
    assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
    assert "SSLError" in event["message"]


def test_an_outage_after_any_answer_is_waited_out(
    server: EmulatorServer, omics: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a wait that comes later: the client that it shares was answered."""
    first, second = omics.start_runs(2, life="pending-forever")
    get_run = OmicsAsyncClient.get_run
    looks: list[str] = []
    out = False

    async def may_be_out(client: Any, run_id: str, export: Any = None) -> Any:
        if out:
            looks.append(run_id)
            raise EndpointConnectionError(endpoint_url=server.endpoint_url)
        return await get_run(client, run_id, export)

    monkeypatch.setattr(OmicsAsyncClient, "get_run", may_be_out)
    omics.fault("ListRuns", "access-denied")

    async def body() -> list[Any]:
        nonlocal out
        waits = start_waits([first])
        await seen(omics, "GetRun", 1)
        out = True
        waits.update(start_waits([second]))
        await asyncio.sleep(3.0)  # twice the hour
        assert {first, second} <= set(looks)
        assert not any(wait.done() for wait in waits.values())
        out = False
        omics.move(first, "COMPLETED")
        omics.move(second, "COMPLETED")
        return await asyncio.gather(*waits.values())

    assert [event["record"]["status"] for event in run_loop(body)] == ["COMPLETED", "COMPLETED"]


@pytest.mark.parametrize("kind", ["throttle", "html"])
def test_what_answers_badly_has_answered(kind: str, omics: Emulator) -> None:
    [run_id] = omics.start_runs(1)
    omics.fault("*", kind)

    async def body() -> Any:
        waits = start_waits([run_id])
        await seen(omics, "GetRun", 4)
        await asyncio.sleep(2.0)
        assert not waits[run_id].done()
        omics.clear_faults()
        await seen_more(omics, "GetRun", 1)
        omics.move(run_id, "COMPLETED")
        return await waits[run_id]

    assert run_loop(body)["record"]["status"] == "COMPLETED"
