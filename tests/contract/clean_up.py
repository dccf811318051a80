"""Takes away what a contract has made: batches and runs first, then what they were started with.

What the answer of a request was lost for, by Ctrl-C or the network, is looked for by its name.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from botocore.exceptions import ClientError

from .world import BATCH_ENDED, ENDED, LOG_GROUP, NOT_FOUND, ContractError, World, code_of, refusal_of


def clean_up(world: World) -> list[str]:
    """Take away all that was made, and return a sentence for each thing that could not be.

    :raises Interrupted: Ctrl-C was pressed meanwhile; all the rest was done first.
    """
    return _CleanUp(world).all()


class Interrupted(KeyboardInterrupt):
    """Ctrl-C was pressed during the clean-up, which was finished all the same.

    :param left: what :func:`clean_up` would have returned.
    """

    def __init__(self, left: list[str]) -> None:
        super().__init__()
        self.left = left


class _CleanUp:
    def __init__(self, world: World) -> None:
        self.world, self.settings, self.say = world, world.settings, world.say
        self.omics, self.known_within = world.omics, world.settings.known_within
        self.left: list[str] = []
        self.interrupted = False

    def all(self) -> list[str]:
        world = self.world
        with self._until_done():
            self._look_for("batch", partial(self._named, "list_batch"), world.batches.add)
            for batch_id in sorted(world.batches):
                self._try(partial(self._end_batch, batch_id), f"batch {batch_id} may go on, cancel it")
                wrong = f"runs of batch {batch_id} may be left, look for them"
                self._try(partial(world.adopt_members, batch_id), wrong)
            self._look_for("run", partial(self._named, "list_runs"), partial(world.adopt, part=""))
            for run_id in world.runs:
                self._take(f"run {run_id}", partial(self._remove_run, run_id))
                self._take(f"log streams of run {run_id}", partial(self._remove_streams, run_id))
            for batch_id in sorted(world.batches):
                self._take(f"batch {batch_id}", partial(self._remove_batch, batch_id))
            workflows = {world.workflow_id} - {""}
            self._look_for("workflow", partial(self._named, "list_workflows", type="PRIVATE"), workflows.add)
            for workflow_id in sorted(workflows):
                self._take(f"workflow {workflow_id}", partial(self._remove_workflow, workflow_id))
            if ("role", world.name) in world.asked:
                self._take(f"role {world.name}", self._remove_role)
            self._take(f"objects below {world.prefix}/", self._remove_objects)
            self._take(f"versions of objects below {world.prefix}/", self._remove_versions)
        if self.interrupted:
            raise Interrupted(self.left)
        return self.left

    # -- whatever happens ------------------------------------------------------------------------------------

    @contextmanager
    def _until_done(self) -> Iterator[None]:
        """Keep Ctrl-C for later."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def later(signum: int, frame: FrameType | None) -> None:
            self.interrupted = True
            self.say("what was made is still being taken away; this ends when that is done")

        before = signal.signal(signal.SIGINT, later)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _try(self, do: Callable[[], Any], wrong: str) -> Any:
        """Do something, and return the answer; what goes wrong is named, and None returned."""
        try:
            try:
                return do()
            except KeyboardInterrupt:
                self.interrupted = True
                return do()
        except (Exception, KeyboardInterrupt) as error:
            self.left.append(f"{wrong}: {str(error) or type(error).__name__}")
            return None

    def _take(self, what: str, undo: Callable[[], Any]) -> None:
        """Take something away, and say so, unless ``undo`` answers False: nothing of it was there."""
        before = len(self.left)
        answer = self._try(undo, f"{what} is left, remove it by hand")
        if answer is not False and len(self.left) == before:
            self.say(f"removed {what}")

    def _look_for(self, kind: str, named: Callable[[str], list[str]], add: Callable[[str], object]) -> None:
        """Look for all that was made by the names that were asked for."""
        for (of, name), answered in list(self.world.asked.items()):
            if of != kind:
                continue
            # What was made just now is listed a while later.
            look = partial(self.world.until, partial(named, name), bool, 0 if answered else self.known_within)
            for each in self._try(look, f"a {kind} with the name {name} may be left, look for it") or ():
                add(each)

    def _named(self, operation: str, name: str, **filters: str) -> list[str]:
        pages = self.omics.get_paginator(operation).paginate(name=name, **filters)
        return [each["id"] for page in pages for each in page["items"] if each.get("name") == name]

    # -- of HealthOmics --------------------------------------------------------------------------------------

    def _end(self, look: Callable[[], Any], ended: tuple[str, ...], cancel: Callable[[], object]) -> str:
        """Cancel something that goes on, wait until it has ended, and return its status.

        :raises ContractError: it does not end.
        """
        refused: list[str] = []

        def try_to_end() -> str:
            status = str(self.world.patient(look)["status"])
            if status not in (*ended, "STOPPING"):
                try:
                    cancel()
                except ClientError as error:
                    # It may be too early, or have ended meanwhile; without a cancel it ends by itself.
                    refused[:] = [f"; {error}"]
            return status

        status: str = self.world.until(try_to_end, lambda status: status in ended)
        if status not in ended:
            raise ContractError(f"it is still {status}{''.join(refused)}")
        return status

    def _end_batch(self, batch_id: str) -> None:
        self._end(
            lambda: self.omics.get_batch(batchId=batch_id),
            BATCH_ENDED,
            lambda: self.omics.cancel_run_batch(batchId=batch_id),
        )

    def _remove_batch(self, batch_id: str) -> None:
        look = partial(self.omics.get_batch, batchId=batch_id)
        self._delete(batch_id, look, partial(self.omics.delete_batch, batchId=batch_id))

    def _remove_run(self, run_id: str) -> bool:
        look = partial(self.omics.get_run, id=run_id)
        if run_id in self.world.deleted or self._is_gone(run_id, look):
            return False
        status = self._end(look, ENDED, partial(self.omics.cancel_run, id=run_id))
        if status != "DELETED":
            self._delete(run_id, look, partial(self.world.delete_run, run_id))
        return True

    def _remove_workflow(self, workflow_id: str) -> None:
        look = partial(self.omics.get_workflow, id=workflow_id)
        if not self._is_gone(workflow_id, look):
            self.world.made_workflow(workflow_id)
            self._delete(workflow_id, look, partial(self.omics.delete_workflow, id=workflow_id))

    def _delete(self, its_id: str, look: Callable[[], object], delete: Callable[[], object]) -> None:
        self.world.deleting.add(its_id)
        try:
            delete()
        except ClientError as error:
            # The answer of the first try may have been lost.
            if code_of(error) != NOT_FOUND or not self._is_gone(its_id, look):
                raise

    def _is_gone(self, its_id: str, look: Callable[[], object]) -> bool:
        """Return whether something is not found that was to be deleted; what is new may not be known yet."""
        return its_id in self.world.deleting and refusal_of(look) == NOT_FOUND

    # -- of others -------------------------------------------------------------------------------------------

    def _remove_streams(self, run_id: str) -> bool:
        names = []
        for prefix in (f"run/{run_id}", f"manifest/run/{run_id}"):
            try:
                found = self.world.logs.describe_log_streams(
                    logGroupName=LOG_GROUP, logStreamNamePrefix=prefix
                )
            except self.world.logs.exceptions.ResourceNotFoundException:
                return False
            # The streams of run 12 begin as those of run 123 do.
            streams = [stream["logStreamName"] for stream in found["logStreams"]]
            names += [name for name in streams if f"{name}/".startswith(f"{prefix}/")]
        for name in names:
            self.world.logs.delete_log_stream(logGroupName=LOG_GROUP, logStreamName=name)
        return bool(names)

    def _remove_role(self) -> bool:
        name, iam = self.world.name, self.world.iam
        end = time.monotonic() + (0 if self.world.asked["role", name] else self.known_within)
        while True:
            for undo in (
                lambda: iam.delete_role_policy(RoleName=name, PolicyName="runs"),
                lambda: iam.delete_role(RoleName=name),
            ):
                try:
                    undo()
                    gone = True
                except iam.exceptions.NoSuchEntityException:
                    gone = False
            if gone or time.monotonic() >= end:
                return gone
            time.sleep(min(self.settings.poll, 5.0))

    def _remove_objects(self) -> bool:
        pages = self._pages("list_objects_v2")
        return self._delete_objects(
            [{"Key": found["Key"]} for page in pages for found in page.get("Contents", ())]
        )

    def _remove_versions(self) -> bool:
        try:
            if "Status" not in self.world.s3.get_bucket_versioning(Bucket=self.world.bucket):
                return False
        except ClientError:
            # Who may not ask may be allowed to list them.
            pass
        return self._delete_objects(
            [
                {"Key": found["Key"], "VersionId": found["VersionId"]}
                for page in self._pages("list_object_versions")
                for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            ]
        )

    def _pages(self, operation: str) -> Any:
        paginator = self.world.s3.get_paginator(operation)
        return paginator.paginate(Bucket=self.world.bucket, Prefix=f"{self.world.key}/")

    def _delete_objects(self, keys: list[dict[str, str]]) -> bool:
        errors: list[dict[str, str]] = []
        for first in range(0, len(keys), 1000):
            batch = {"Objects": keys[first : first + 1000], "Quiet": True}
            answer = self.world.s3.delete_objects(Bucket=self.world.bucket, Delete=batch)
            errors += answer.get("Errors", ())
        if errors:
            told = f"{errors[0].get('Code')} for {errors[0].get('Key')}"
            raise ContractError(f"{len(errors)} of {len(keys)} could not be deleted, {told} for one")
        return bool(keys)
