"""Which run each member of a batch had and how it ended: in XCom if they are few, else in a file in S3."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.json_array import JsonArray, encoded
from airflow_omics._batches.members import NOT_STARTED, BatchMembers, Member
from airflow_omics._batches.settings_file import SettingsFolder
from airflow_omics._identity import Target
from airflow_omics._resource import BATCH
from airflow_omics._starting.cohort import Cohort
from airflow_omics.exceptions import OmicsError

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

MOST_IN_XCOM: Final = 100
_LARGEST_IN_XCOM: Final = 64 * 1024


class MembersFile:
    """Keeps the members of a task's batches.

    :param hook_of: returns the hook for the calls.
    :param place: returns the folder in S3, and the name of the file's own folder in it.
    :param log: the task's logger.
    """

    def __init__(
        self, hook_of: Callable[[], OmicsHook], place: Callable[[], tuple[str, str]], log: Any
    ) -> None:
        self._hook_of = hook_of
        self._place = place
        self._log = log

    def keep(
        self, record: Mapping[str, Any], cohort: Cohort | None, asked: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Return ``members``, or ``membersUri`` if there are more than 100 of them.

        What prevents it is a warning: how the batch ended does not depend on it.

        :param record: of the last batch.
        :param cohort: the members, if they are known; they are listed if not.
        :param asked: the ids of all members, if some may be in no list: those were not started.
        """
        array = JsonArray(MOST_IN_XCOM, _LARGEST_IN_XCOM)
        try:
            left = dict.fromkeys(asked or ())
            for member in self._listed(record) if cohort is None else cohort.members.values():
                array.add(encoded(to_plain(member)))
                left.pop(str(member.setting_id), None)
            for setting_id in left:
                array.add(encoded(to_plain(Member(setting_id, None, NOT_STARTED))))
            array.end()
            if array.is_in_memory:
                import json

                return {"members": json.loads(array.body.read())}
            folder, own = self._place()
            stored = SettingsFolder(self._hook_of(), self._log).keep(array, folder, own, "members-")
        except (OmicsError, ValueError) as error:
            self._log.warning(
                "The members of HealthOmics batch %s are not listed: %s", record.get("id"), error
            )
            return {}
        finally:
            array.close()
        return {"membersUri": stored.uri}

    def _listed(self, record: Mapping[str, Any]) -> Iterator[Member]:
        calls = BatchCalls(self._hook_of(), Target.parse(dict(record), BATCH), self._log)
        for page in BatchMembers(calls, record).pages():
            yield from page


def to_plain(member: Member) -> dict[str, Any]:
    """Return a member as plain JSON, as the record has it."""
    plain = {"runSettingId": member.setting_id, "runId": member.run_id, "status": member.status}
    return {key: value for key, value in plain.items() if value is not None}
