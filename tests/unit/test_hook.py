"""OmicsHook: where its calls go, for how long they are retried, and what a failed call means."""

from __future__ import annotations

import datetime
import http.server
import inspect
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from airflow_omics._connection import AwsArguments
from airflow_omics.emulator import EmulatorServer
from airflow_omics.exceptions import FaultKind, OmicsAccessError
from airflow_omics.hooks import OmicsHook, UnusableAnswerError
from airflow_omics.hooks.faults import fault_of
from airflow_omics.hooks.responses import clock_skew
from airflow_omics.operators import OmicsGetRunOperator
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of

Connect = Callable[..., None]
OWN = "http://127.0.0.1:4300"

# -- who calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [OmicsGetRunOperator, OmicsRunSensor])
def test_requests_name_the_class_of_the_task_without_reading_source_files(
    omics: Any, run_id: str, monkeypatch: pytest.MonkeyPatch, task: Any
) -> None:
    def read_the_source_of_every_frame() -> None:
        raise AssertionError("a quarter of the time that a client takes")

    monkeypatch.setattr(inspect, "stack", read_the_source_of_every_frame)
    omics.move(run_id, "COMPLETED")
    task(task_id="t", run_id=run_id).execute(context_of(TaskInstance()))
    [request] = omics.requests("GetRun")
    assert f" Caller/{task.__name__} " in request["user_agent"]


# -- host prefix ------------------------------------------------------------------------------------------


def injects(**arguments: Any) -> bool:
    return bool(OmicsHook(aws_conn_id="aws_default", **arguments).conn.meta.config.inject_host_prefix)


def test_the_host_prefix_is_put_before_aws_s_own_name(connect: Connect) -> None:
    connect(region_name="us-east-1")
    assert injects()


@pytest.mark.parametrize(
    "extra",
    [
        {"endpoint_url": OWN},
        {"service_config": {"omics": {"endpoint_url": OWN}}},
        {"endpoint_url": "http://127.0.0.1:1", "service_config": {"omics": {"endpoint_url": OWN}}},
    ],
)
def test_a_connection_s_own_endpoint_gets_no_host_prefix(connect: Connect, extra: dict[str, Any]) -> None:
    connect(region_name="us-east-1", **extra)
    assert not injects()
    assert OmicsHook(aws_conn_id="aws_default").conn.meta.endpoint_url == OWN


def test_another_service_s_own_endpoint_is_not_ours(connect: Connect) -> None:
    connect(region_name="us-east-1", service_config={"s3": {"endpoint_url": OWN}})
    assert injects()


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_OMICS"])
def test_the_environment_s_own_endpoint_gets_no_host_prefix(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    connect(region_name="us-east-1")
    monkeypatch.setenv(name, OWN)
    assert not injects()
    assert OmicsHook(aws_conn_id="aws_default").conn.meta.endpoint_url == OWN


def test_an_ignored_environment_changes_nothing(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(region_name="us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", OWN)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert injects()
    assert "127.0.0.1" not in OmicsHook(aws_conn_id="aws_default").conn.meta.endpoint_url


def test_an_environment_ignored_by_the_connection_changes_nothing(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(region_name="us-east-1", config_kwargs={"ignore_configured_endpoint_urls": True})
    monkeypatch.setenv("AWS_ENDPOINT_URL", OWN)
    assert "127.0.0.1" not in OmicsHook(aws_conn_id="aws_default").conn.meta.endpoint_url
    assert injects()


@pytest.mark.parametrize("wanted", [True, False])
def test_what_the_user_says_of_the_host_prefix_wins(connect: Connect, wanted: bool) -> None:
    connect(region_name="us-east-1", endpoint_url=OWN, config_kwargs={"inject_host_prefix": wanted})
    assert injects() is wanted
    connect(region_name="us-east-1", endpoint_url=OWN)
    assert injects(config={"inject_host_prefix": wanted}) is wanted


def test_a_call_to_an_own_endpoint_arrives(connect: Connect) -> None:
    with EmulatorServer() as server:
        connect(
            region_name="us-east-1",
            login="AKIAEXAMPLE",
            password="a key of nobody",
            endpoint_url=server.endpoint_url,
        )
        [run_id] = server.control.start_runs(1)
        assert OmicsHook(aws_conn_id="aws_default").get_run(run_id)["id"] == run_id


# -- time limits -----------------------------------------------------------------------------------------


def config_of(**arguments: Any) -> Any:
    return OmicsHook(aws_conn_id="aws_default", **arguments).conn.meta.config


def test_a_call_has_short_limits_if_nothing_is_set(connect: Connect) -> None:
    connect(region_name="us-east-1")
    config = config_of()
    assert (config.connect_timeout, config.read_timeout) == (10, 30)
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] == 3


def test_each_setting_of_the_user_wins_alone(connect: Connect) -> None:
    connect(region_name="us-east-1", config_kwargs={"read_timeout": 60})
    config = config_of()
    assert (config.connect_timeout, config.read_timeout) == (10, 60)
    assert config.retries["total_max_attempts"] == 3


def test_a_setting_that_equals_botocore_s_default_wins_too(connect: Connect) -> None:
    connect(region_name="us-east-1")
    assert config_of(config={"connect_timeout": 60}).connect_timeout == 60


def test_the_user_s_retries_win(connect: Connect) -> None:
    connect(region_name="us-east-1")
    retries = config_of(config={"retries": {"mode": "adaptive", "total_max_attempts": 7}}).retries
    assert (retries["mode"], retries["total_max_attempts"]) == ("adaptive", 7)


def test_botocore_config_overrides_the_connection_s(connect: Connect) -> None:
    connect(region_name="us-east-1", config_kwargs={"read_timeout": 60})
    hook = OmicsHook.of(AwsArguments(botocore_config={"read_timeout": 5}))
    assert hook.conn.meta.config.read_timeout == 5


def test_all_four_arguments_reach_the_client(connect: Connect, tmp_path: Any) -> None:
    # Peers drop one or the other on the way.
    connect("other", login="AKIAEXAMPLE", password="a key of nobody", region_name="us-east-1")
    arguments = AwsArguments("other", "eu-west-1", False, {"read_timeout": 5})
    hook = OmicsHook.of(arguments)
    assert hook.conn.meta.region_name == "eu-west-1"
    assert hook.conn.meta.config.read_timeout == 5
    assert hook.verify is False
    assert hook.get_credentials().access_key == "AKIAEXAMPLE"


def test_arguments_are_serialized_whole_and_as_plain_json() -> None:
    arguments = AwsArguments("other", "eu-west-1", False, {"read_timeout": 5})
    assert json.loads(json.dumps(arguments.serialize())) == {
        "aws_conn_id": "other",
        "region_name": "eu-west-1",
        "verify": False,
        "botocore_config": {"read_timeout": 5},
    }
    assert AwsArguments(**arguments.serialize()) == arguments


def test_equal_arguments_have_equal_keys_and_others_have_not() -> None:
    one = AwsArguments(botocore_config={"a": 1, "b": 2})
    assert one.key == AwsArguments(botocore_config={"b": 2, "a": 1}).key
    others = [
        AwsArguments(),
        AwsArguments(None),
        AwsArguments("x"),
        AwsArguments(region_name="us-east-1"),
        AwsArguments(verify=False),
        AwsArguments(verify="ca.pem"),
        one,
    ]
    assert len({other.key for other in others}) == 7


# -- get_run ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("export", "query"),
    [(None, None), ((), None), (["DEFINITION"], {"export": "DEFINITION"})],
)
def test_export_is_asked_for_only_when_given(omics: Any, run_id: str, export: Any, query: Any) -> None:
    OmicsHook(aws_conn_id="aws_default").get_run(run_id, export)
    assert omics.requests("GetRun")[0].get("query") == query


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -3600.0])
def test_the_service_s_clock_is_compared_by_the_date_header(
    omics: Any, run_id: str, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    monkeypatch.setattr("airflow_omics._clock.time", lambda: omics.now() - ahead)
    hook = OmicsHook(aws_conn_id="aws_default")
    hook.get_run(run_id)
    assert hook.clock_skew == pytest.approx(ahead, abs=1.1)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Wed, 99 Foo 2026 00:00:00 GMT"])
def test_a_date_that_cannot_be_read_is_no_skew(date: str | None) -> None:
    assert clock_skew({"ResponseMetadata": {"HTTPHeaders": {"date": date}}}) == 0.0
    assert clock_skew({}) == 0.0


# -- fault_of ----------------------------------------------------------------------------------------------


def answered(code: str, status: int, operation: str = "GetRun", message: str = "said so") -> aws.ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "req-1"},
    }
    return aws.ClientError(response, operation)


TRANSIENT, CREDENTIALS = FaultKind.TRANSIENT, FaultKind.CREDENTIALS
DENIED, REFUSED, NOT_FOUND = FaultKind.DENIED, FaultKind.REFUSED, FaultKind.NOT_FOUND

ANSWERS = [
    ("ThrottlingException", 429, TRANSIENT),
    ("ThrottlingException", 400, TRANSIENT),
    ("Throttling", 400, TRANSIENT),
    ("TooManyRequestsException", 429, TRANSIENT),
    ("InternalServerException", 500, TRANSIENT),
    ("ServiceUnavailable", 503, TRANSIENT),
    ("RequestTimeoutException", 408, TRANSIENT),
    ("ConflictException", 409, TRANSIENT),
    ("ServiceQuotaExceededException", 402, TRANSIENT),
    ("502", 502, TRANSIENT),
    ("403", 403, TRANSIENT),
    ("", 200, TRANSIENT),
    ("ExpiredTokenException", 403, CREDENTIALS),
    ("ExpiredToken", 400, CREDENTIALS),
    ("UnrecognizedClientException", 403, CREDENTIALS),
    ("InvalidClientTokenId", 403, CREDENTIALS),
    ("InvalidSignatureException", 403, CREDENTIALS),
    ("RequestExpired", 400, CREDENTIALS),
    ("IDPCommunicationError", 400, CREDENTIALS),
    ("InvalidIdentityToken", 400, CREDENTIALS),
    ("InvalidAccessKeyId", 403, CREDENTIALS),
    ("InvalidToken", 400, CREDENTIALS),
    ("RequestTimeout", 400, TRANSIENT),
    ("IncompleteBody", 400, TRANSIENT),
    ("ConditionalRequestConflict", 409, TRANSIENT),
    ("NoSuchBucket", 404, REFUSED),
    ("AccessDeniedException", 403, DENIED),
    ("AccessDenied", 403, DENIED),
    ("UnauthorizedOperation", 403, DENIED),
    ("ValidationException", 400, REFUSED),
    ("ResourceNotFoundException", 404, NOT_FOUND),
]


@pytest.mark.parametrize(("code", "status", "kind"), ANSWERS)
def test_an_error_answer_means_what_its_code_says(code: str, status: int, kind: FaultKind) -> None:
    fault = fault_of(answered(code, status))
    assert fault is not None
    assert fault.kind is kind
    assert fault.throttled == (status == 429 or "Throttling" in code)
    for part in ("GetRun", "said so", "req-1"):
        assert part in fault.message


ENDPOINT = "https://workflows-omics.us-east-1.amazonaws.com/run/1"
RAISED = [
    (aws.EndpointConnectionError(endpoint_url=ENDPOINT), TRANSIENT),
    (aws.ConnectTimeoutError(endpoint_url=ENDPOINT), TRANSIENT),
    (aws.ReadTimeoutError(endpoint_url=ENDPOINT), TRANSIENT),
    (aws.ConnectionClosedError(endpoint_url=ENDPOINT), TRANSIENT),
    (aws.ProxyConnectionError(proxy_url="http://proxy"), TRANSIENT),
    (aws.SSLError(endpoint_url=ENDPOINT, error="handshake"), TRANSIENT),
    (aws.HTTPClientError(error=OSError("reset")), TRANSIENT),
    (aws.IncompleteReadError(actual_bytes=1, expected_bytes=2), TRANSIENT),
    (ResponseParserError("not JSON"), TRANSIENT),
    (UnusableAnswerError("no id"), TRANSIENT),
    (ConnectionResetError("reset"), TRANSIENT),
    (TimeoutError("slow"), TRANSIENT),
    (socket.gaierror("no such name"), TRANSIENT),
    (ssl.SSLError("handshake"), TRANSIENT),
    (aws.NoCredentialsError(), CREDENTIALS),
    (aws.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), CREDENTIALS),
    (aws.CredentialRetrievalError(provider="web identity", error_msg="gone"), CREDENTIALS),
    (aws.NoRegionError(), REFUSED),
    (aws.ProfileNotFound(profile="lab"), REFUSED),
    (aws.ParamValidationError(report="id is wrong"), REFUSED),
    (ValueError("ours"), None),
    (KeyError("ours"), None),
    (MemoryError(), None),
]


@pytest.mark.parametrize(("error", "kind"), RAISED, ids=lambda value: type(value).__name__)
def test_an_error_without_an_answer_means_what_its_class_says(
    error: Exception, kind: FaultKind | None
) -> None:
    fault = fault_of(error)
    assert (fault and fault.kind) == kind


@pytest.mark.parametrize(
    "error", [FileNotFoundError("token"), PermissionError("token")], ids=["missing", "closed"]
)
def test_a_file_that_cannot_be_read_is_no_network_error(error: OSError) -> None:
    """A web identity's token file that is missing here would be waited for until the timeout, a week."""
    fault = fault_of(error)
    assert fault is None or fault.kind is not FaultKind.TRANSIENT


def test_a_denied_get_run_names_its_action() -> None:
    fault = fault_of(answered("AccessDeniedException", 403))
    assert fault is not None
    assert "Allow omics:GetRun to the caller" in fault.message


@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"])
def test_a_denied_role_names_the_action_of_sts(operation: str) -> None:
    fault = fault_of(answered("AccessDenied", 403, operation))
    assert fault is not None
    assert fault.kind is DENIED
    assert f"Allow sts:{operation} to the caller" in fault.message


# -- a connection with a role --------------------------------------------------------------------------------

ROLE = "arn:aws:iam::123456789012:role/Reader"


def test_a_connection_with_a_role_reads_with_the_role(connect: Connect) -> None:
    with EmulatorServer() as server:
        own = {"endpoint_url": server.endpoint_url}
        connect(
            login="AKIAEXAMPLE", password="a key of nobody", region_name="us-east-1", role_arn=ROLE,
            service_config={"sts": own, "omics": own},
        )  # fmt: skip
        [run_id] = server.control.start_runs(1)
        assert OmicsHook(aws_conn_id="aws_default").get_run(run_id)["id"] == run_id


class _Denies(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = (
            b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
            b"<Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>"
        )
        self.send_response(403)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def denying_sts() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Denies)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_role_that_may_not_be_assumed_names_sts(connect: Connect, denying_sts: str) -> None:
    with EmulatorServer() as server:
        own = {"endpoint_url": server.endpoint_url}
        connect(
            login="AKIAEXAMPLE", password="a key of nobody", region_name="us-east-1", role_arn=ROLE,
            service_config={"sts": {"endpoint_url": denying_sts}, "omics": own},
        )  # fmt: skip
        [run_id] = server.control.start_runs(1)
        task = OmicsGetRunOperator(task_id="read", run_id=run_id, botocore_config=ONE_ATTEMPT)
        with pytest.raises(OmicsAccessError, match="sts:AssumeRole"):
            task.execute(context_of(TaskInstance()))
        assert server.control.counts() == {}


# -- what an answer costs ---------------------------------------------------------------------------------


def test_times_are_read_without_the_slow_parser_of_botocore(
    omics: Any, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse_slowly(value: Any, **_: Any) -> None:
        raise AssertionError("four fifths of the time that a page of a list takes")

    as_botocore_reads_it = boto3.client("omics", region_name="us-east-1").get_run(id=run_id)["creationTime"]
    hook = OmicsHook(aws_conn_id="aws_default")
    monkeypatch.setattr("dateutil.parser.parse", parse_slowly)
    [listed] = hook.list_runs()
    for record in (hook.get_run(run_id), listed):
        assert datetime.datetime.fromisoformat(record["creationTime"]) == as_botocore_reads_it
        assert record["creationTime"].endswith("+00:00")
