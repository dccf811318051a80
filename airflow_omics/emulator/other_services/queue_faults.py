"""Faults of SQS: an error in place of moto's answer, with the code and status that SQS has for it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import functools
import json
from typing import Any

from airflow_omics.emulator.world.faults import QUEUE_OPERATIONS, error_text
from airflow_omics.emulator.world.shared import WORLD

# Kind of fault to shape, error code and HTTP status. The shape is what newer SDKs go by, and the code what
# botocore shows.
_ERRORS = {
    "throttle": ("com.amazonaws.sqs#RequestThrottled", "RequestThrottled", 403),
    "internal-error": ("com.amazon.coral.service#InternalFailure", "InternalFailure", 500),
    "validation": ("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue", 400),
    "not-found": (
        "com.amazonaws.sqs#QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        400,
    ),
    "access-denied": ("com.amazon.coral.service#AccessDeniedException", "AccessDenied", 403),
    "expired-token": ("com.amazon.coral.service#ExpiredTokenException", "ExpiredToken", 403),
    "unrecognized-client": (
        "com.amazon.coral.service#UnrecognizedClientException",
        "InvalidClientTokenId",
        403,
    ),
}
_GONE = "The specified queue does not exist."


def adapt() -> None:
    """Let moto's SQS have faults; calling it again changes nothing."""
    from moto.core.utils import camelcase_to_underscores
    from moto.sqs.responses import SQSResponse

    responses: Any = SQSResponse
    for operation in QUEUE_OPERATIONS:
        name = camelcase_to_underscores(operation)
        method = getattr(responses, name)
        if not hasattr(method, "omics_emulator"):
            setattr(responses, name, _struck(operation, method))


def _struck(operation: str, method: Any) -> Any:
    @functools.wraps(method)
    def wrapper(self: Any) -> Any:
        fault = WORLD.faults.pick(operation, None, named=True)
        if fault is None:
            return method(self)
        name = self._get_param("QueueName") or self._get_queue_name()
        arn = f"arn:aws:sqs:{self.region}:{self.current_account}:{name}"
        principal = f"arn:aws:sts::{self.current_account}:assumed-role/Admin/emulator"
        # SQS names its actions so.
        message = error_text(fault, f"sqs:{operation.lower()}", arn, principal)[1]
        if fault.kind == "not-found":
            message = fault.options.get("message", _GONE)
        shape, code, status = _ERRORS[fault.kind]
        headers = {
            "status": status,
            "Content-Type": "application/x-amz-json-1.0",
            "x-amzn-query-error": f"{code};{'Receiver' if status >= 500 else 'Sender'}",
        }
        return json.dumps({"__type": shape, "message": message}), headers

    wrapper.omics_emulator = True  # type: ignore[attr-defined]
    return wrapper
