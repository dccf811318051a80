"""The emulator over HTTP: server, command line, and what a plain client needs to reach it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from airflow_omics.emulator import EmulatorClient, EmulatorServer

from .support import KEYS, KNOWS_HOST_PREFIX_VARIABLE, signed, start


@contextmanager
def command(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run the command line until the block ends; give the process, its URL and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow_omics.emulator", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        printed = "".join(process.stdout.readline() for _ in range(9))
        found = re.search(r"ready at (http://127\.0\.0\.1:\d+)\n", printed)
        assert found, printed
        yield process, found[1], printed
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal_and_leaves_cleanly(number: signal.Signals) -> None:
    with command("--pace", "60", "--life", "cancelled", "--limit", "10") as (process, url, printed):
        assert f"export AWS_ENDPOINT_URL={url} AWS_DISABLE_HOST_PREFIX_INJECTION=true\n" in printed
        assert "AWS_ACCESS_KEY_ID=testing" in printed
        # What other SDKs need is a comment, so that all of it can be pasted into a shell.
        assert [line[:7] for line in printed.splitlines()[1:]] == (
            ["# Pytho", "export ", "export ", "# Other", "# JavaS", "# Java:", "#      ", "# Go: s"]
        )
        assert f'# JavaScript: new OmicsClient({{ endpoint: "{url}", disableHostPrefix: true }})\n' in printed
        control = EmulatorClient(url)
        assert (control.pace, control.default_life) == (60, "cancelled")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")


def test_the_printed_environment_is_all_a_client_needs() -> None:
    with command("--account", "210987654321") as (_, _, printed):
        exported = dict(re.findall(r"(AWS_\w+)=(\S+)", printed))
        prefix = None if KNOWS_HOST_PREFIX_VARIABLE else False
        code = (
            "import boto3; from botocore.config import Config;"
            f"c = boto3.client('omics', config=Config(inject_host_prefix={prefix}));"
            "print(c.start_run(workflowId='1', roleArn='arn:aws:iam::1:role/r', outputUri='s3://bucket/x')['arn']);"
            "print(boto3.client('sts').get_caller_identity()['Account'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **exported},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    arn, account = done.stdout.split()
    assert arn.startswith("arn:aws:omics:us-east-1:210987654321:run/")
    assert account == "210987654321"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--life", "happy"), "life 'happy' is unknown"),
        (("--pace", "0"), "pace is 0.0"),
        (("--port", "99999"), "--port is 99999; give one from 1 to 65535, or 0 for any that is free\n"),
        (("--port", "-1"), "--port is -1; give one from 1 to 65535, or 0 for any that is free\n"),
        (("--account", "abc"), "--account is 'abc'; give an account id of 12 digits\n"),
        (("--account", ""), "--account is ''; give an account id of 12 digits\n"),
        (("--limit", "0"), "--limit is 0.0; give calls a second, up to 1000000, or leave it out\n"),
        (("--limit", "nan"), "--limit is nan; give calls a second, up to 1000000, or leave it out\n"),
        (("--limit", "inf"), "--limit is inf; give calls a second, up to 1000000, or leave it out\n"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(arguments: tuple[str, ...], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow_omics.emulator", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"the emulator cannot start: {says}")
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_sentence(server: EmulatorServer) -> None:
    port = server.endpoint_url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "airflow_omics.emulator", "--port", port],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"the emulator cannot start: port {port} of 127.0.0.1 is in use; give another --port, "
        "or 0 for any that is free\n"
    )


def test_without_moto_it_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "class NoMoto:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'moto':\n"
        "            raise ModuleNotFoundError('No module named moto', name='moto')\n"
        "sys.meta_path.insert(0, NoMoto())\n"
        "try:\n"
        "    import airflow_omics.emulator\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == (
        "the emulator needs moto with its server; install it with: pip install 'airflow-omics[emulator]'\n"
    )


def test_the_emulator_imports_neither_airflow_nor_the_product() -> None:
    code = (
        "import sys, airflow_omics.emulator\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'airflow'"
        " or name.startswith('airflow_omics.') and not name.startswith('airflow_omics.emulator')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_all_of_moto_is_beside_it(connect: Callable[..., Any]) -> None:
    assert connect("sts").get_caller_identity()["Account"] == "123456789012"
    iam = connect("iam")
    iam.create_role(RoleName="OmicsRole", AssumeRolePolicyDocument="{}")
    assert iam.get_role(RoleName="OmicsRole")["Role"]["Arn"] == "arn:aws:iam::123456789012:role/OmicsRole"
    s3 = connect("s3")
    s3.create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket="my-bucket", Key="a", Body=b"text")
    assert s3.get_object(Bucket="my-bucket", Key="a")["Body"].read() == b"text"


def test_a_bucket_may_have_a_name_that_begins_as_the_control_does(connect: Callable[..., Any]) -> None:
    s3 = connect("s3", "us-east-1")
    s3.create_bucket(Bucket="omics-emulator-cache")
    s3.put_object(Bucket="omics-emulator-cache", Key="a", Body=b"text")
    assert s3.get_object(Bucket="omics-emulator-cache", Key="a")["Body"].read() == b"text"


def test_the_host_prefix_leads_a_plain_client_astray(server: EmulatorServer) -> None:
    client = boto3.client(
        "omics",
        region_name="us-west-2",
        endpoint_url=server.endpoint_url,
        config=Config(retries={"total_max_attempts": 1}),
        **KEYS,
    )
    with pytest.raises(EndpointConnectionError, match="http://workflows-127"):
        client.list_runs()


def test_the_environment_turns_the_host_prefix_off(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
    config = Config(inject_host_prefix=None if KNOWS_HOST_PREFIX_VARIABLE else False)
    client = boto3.client("omics", region_name="us-west-2", config=config, **KEYS)
    assert client.list_runs()["items"] == []


def test_a_connection_serves_many_requests(server: EmulatorServer) -> None:
    host = server.endpoint_url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    scope = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-west-2/omics/aws4_request, Signature=0"
    local = set()
    for _ in range(3):
        connection.request("GET", "/run", headers={"Authorization": scope})
        answer = connection.getresponse()
        assert answer.read() == b'{"items":[]}'
        local.add(connection.sock.getsockname())
    assert len(local) == 1
    connection.close()


@pytest.mark.parametrize(
    "broken", ["Content-Length: many\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nmany\r\n"]
)
def test_a_body_of_no_known_length_is_a_bad_request(
    broken: str, server: EmulatorServer, capfd: pytest.CaptureFixture[str]
) -> None:
    scope = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-west-2/omics/aws4_request, Signature=0"
    host, _, port = server.endpoint_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /run HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scope}\r\n"
        connection.sendall(f"{head}{broken}".encode())
        answered = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert "Traceback" not in capfd.readouterr().err


def test_there_is_one_date_header(server: EmulatorServer) -> None:
    with signed(f"{server.endpoint_url}/run") as response:
        assert len(response.headers.get_all("Date")) == 1


def test_many_clients_at_once(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    (run_id,) = server.control.start_runs(1, region_name="us-west-2")
    client = connect(max_pool_connections=8)
    answers: list[str] = []

    def call() -> None:
        for _ in range(25):
            answers.append(client.get_run(id=run_id)["id"])

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [run_id] * 200
    assert server.control.counts() == {"GetRun": 200}


def test_runs_started_at_the_same_time_are_all_there(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    client = connect(max_pool_connections=8)
    threads = [threading.Thread(target=start, args=(client,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(client.list_runs()["items"]) == 8


def test_stopping_it_forgets_everything_and_closes_connections() -> None:
    with EmulatorServer() as server:
        server.control.start_runs(3)
        server.control.fault("*", "throttle")
        host = server.endpoint_url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", "/omics-emulator/counts")
        connection.getresponse().read()
    assert connection.sock.recv(1) == b""
    connection.close()
    with EmulatorServer() as server, signed(f"{server.endpoint_url}/run", region="us-east-1") as response:
        assert response.read() == b'{"items":[]}'


def test_a_server_that_does_not_run_has_no_url() -> None:
    with pytest.raises(RuntimeError, match="is not running"):
        _ = EmulatorServer().endpoint_url


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/run"), ("GET", "/run"), ("GET", "/run/1234567"), ("DELETE", "/run/1234567")],
)
def test_a_request_that_is_not_signed_is_refused_as_aws_would(
    method: str, path: str, server: EmulatorServer
) -> None:
    request = urllib.request.Request(f"{server.endpoint_url}{path}", data=None, method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as error:
        assert (error.code, json.load(error)) == (403, {"message": "Missing Authentication Token"})
        assert error.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    assert server.control.counts() == {}
