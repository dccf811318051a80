"""A queue of SQS, for a triggerer: one client that receives messages, hides them and deletes them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from botocore.config import Config

from airflow_omics._connection import AwsArguments
from airflow_omics.hooks.named import NamedConnectionHook, place_of
from airflow_omics.hooks.omics import OmicsHook, refresh_in_a_thread
from airflow_omics.hooks.operations import LOADER
from airflow_omics.hooks.settings import with_defaults

MOST: Final = 10
"""Messages that one request takes at most."""

_DEFAULT_CONFIG: Mapping[str, Any] = {"connect_timeout": 10, "read_timeout": 30}


class Message(NamedTuple):
    """One message, as it was received.

    :param id: the same each time that it is received.
    :param handle: what it is deleted with, another each time.
    :param body: its text.
    """

    id: str
    handle: str
    body: str


class OmicsQueueHook(NamedConnectionHook):
    """Reach SQS through an Airflow connection of type ``aws``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "sqs"
        super().__init__(*args, **kwargs)

    @property
    def config(self) -> Config:
        """The settings of its clients, also of the one that assumes a role."""
        return with_defaults(super().config, _DEFAULT_CONFIG)

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> Any:
        """Return a session; one for async use never blocks the event loop later on."""
        session: Any = super().get_session(region_name=region_name, deferrable=deferrable)
        if deferrable:
            session.register_component("data_loader", LOADER)
            refresh_in_a_thread(session)
        return session


class OmicsQueueClient:
    """One aiobotocore client for one queue. It never retries by itself, and raises AWS's errors as they came.

    See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
    """

    def __init__(self, client: Any, queue_url: str, aws_conn_id: str | None = None) -> None:
        self._client = client
        self._queue_url = queue_url
        self.place = place_of(client.meta.region_name, aws_conn_id)
        """Where its calls go: the Region and the connection, for errors."""
        self.longest_wait = int(max(0, min(20, client.meta.config.read_timeout - 5)))
        """Seconds that a request may wait for a message: SQS takes 20, and the client must wait longer."""

    @classmethod
    def open(cls, arguments: AwsArguments, queue_url: str) -> OmicsQueueClient:
        """Build a client; call it in a thread, since it blocks for about 0.1 s and may call STS."""
        checked = OmicsHook.of(arguments)
        checked.conn_config  # noqa: B018  refuses what can't be right
        hook = OmicsQueueHook.beside(checked)
        one_try = Config(retries={"total_max_attempts": 1})
        context: Any = hook.get_client_type(
            region_name=hook.region_name, config=hook.config.merge(one_try), deferrable=True
        )
        # aiobotocore binds nothing to a loop before its first request, so this thread's may build it.
        return cls(asyncio.run(context.__aenter__()), queue_url, arguments.aws_conn_id)

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.__aexit__(None, None, None)

    async def receive(self, most: int, *, wait: int, hidden: int) -> list[Message]:
        """Return messages, none if there are none, and hide them from every other receiver.

        :param most: messages at most, 10 or less.
        :param wait: seconds to wait for the first one, at most.
        :param hidden: seconds for which they are hidden.

        See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
        """
        answer = await self._client.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=min(wait, self.longest_wait),
            VisibilityTimeout=hidden,
        )
        return [
            Message(said["MessageId"], said["ReceiptHandle"], said.get("Body", ""))
            for said in answer.get("Messages", ())
        ]

    async def delete(self, handles: Sequence[str]) -> list[str]:
        """Delete messages, 10 at most; return AWS's reasons for those that are still there.

        See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html
        """
        entries = [{"Id": str(n), "ReceiptHandle": handle} for n, handle in enumerate(handles)]
        answer = await self._client.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
        return _reasons(answer)

    async def hand_back(self, handles: Sequence[str], after: int = 0) -> list[str]:
        """Let messages, 10 at most, be received by anybody; return AWS's reasons where it did not.

        :param after: seconds from now on.

        See
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
        """
        entries = [
            {"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": after}
            for n, handle in enumerate(handles)
        ]
        answer = await self._client.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
        return _reasons(answer)

    async def has_dead_letters(self) -> bool:
        """Return whether messages that nobody deletes go to a queue for dead letters.

        See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
        """
        answer = await self._client.get_queue_attributes(
            QueueUrl=self._queue_url, AttributeNames=["RedrivePolicy"]
        )
        return bool((answer.get("Attributes") or {}).get("RedrivePolicy"))


def _reasons(answer: Mapping[str, Any]) -> list[str]:
    return sorted({str(failed.get("Code", "no code")) for failed in answer.get("Failed", ())})
