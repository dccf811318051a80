"""The settings of a batch's members: read, checked and merged with ``defaultRunSetting``.

https://docs.aws.amazon.com/omics/latest/api/API_InlineSetting.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_omics.emulator.lives.script import Life
from airflow_omics.emulator.service import runs_start, runs_uses
from airflow_omics.emulator.service.runs_state import Runs
from airflow_omics.emulator.service.runs_uses import Uses
from airflow_omics.emulator.wire import codec
from airflow_omics.emulator.wire.exceptions import OmicsServiceError
from airflow_omics.emulator.wire.model import operation_model
from airflow_omics.emulator.world.batches import BatchRules, failure_of
from airflow_omics.emulator.world.shared import WORLD

MOST_MEMBERS = 100_000
INVALID_JSON = "Invalid JSON format in run configurations"
_NOT_A_RUNS = frozenset({"runSettingId", "runTags", "parameters"})
_SPACE = re.compile(r"[ \t\r\n]*")


class SettingsError(Exception):
    """The settings cannot be used; the text is the ``failureReason`` of the batch."""


@dataclass
class Settings:
    """What is kept of the members' settings: each as the text that it was given as, which takes least room.

    :ivar common: what StartRun is asked for each member, with what the service adds.
    :ivar uses: the workflow and more that each run uses.
    :ivar lives: the life of each.
    :ivar failures: position of each that cannot be submitted, in rising order, to reason and message.
    """

    common: Mapping[str, Any]
    uses: Uses
    texts: list[bytes] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    lives: list[Life] = field(default_factory=list)
    failures: dict[int, tuple[str, str]] = field(default_factory=dict)

    def setting(self, position: int) -> dict[str, Any]:
        """Return the settings of a member as they were given."""
        found: dict[str, Any] = json.loads(self.texts[position])
        return found

    def members(self, position: int) -> dict[str, Any]:
        """Return what StartRun is asked for a member, with what the service adds."""
        return _merged(self.common, self.setting(position))


def completed(runs: Runs, default: Mapping[str, Any], batch_id: str) -> dict[str, Any]:
    """Return what StartRun is asked for each member of a batch, with what the service adds.

    :param default: ``defaultRunSetting``.
    :raises OmicsServiceError: what StartRun refuses, whatever the settings of a member are.
    """
    common = _common(default, batch_id)
    WORLD.life_of(common["tags"])
    # Where the outputs go, and which parameters there are, is not known before the members are.
    asked = {name: value for name, value in common.items() if name != "parameters"}
    asked = {"outputUri": "s3://of-each-member", **asked, "parametersUri": "s3://of-each-member"}
    added = runs_start.completed(runs, asked)
    return {**{name: value for name, value in added.items() if asked.get(name) != value}, **common}


def _common(default: Mapping[str, Any], batch_id: str) -> dict[str, Any]:
    common = {name: value for name, value in default.items() if name != "runTags"}
    return {**common, "tags": default.get("runTags", {}), "batchId": batch_id}


def _merged(common: Mapping[str, Any], setting: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of StartRun for a member of a batch: its own settings over those of all."""
    setting = {name: value for name, value in setting.items() if value is not None}
    members = {**common, **{name: value for name, value in setting.items() if name not in _NOT_A_RUNS}}
    if "parameters" in setting:
        own, shared = setting["parameters"], common.get("parameters")
        both = isinstance(own, dict) and isinstance(shared, dict)
        members["parameters"] = {**shared, **own} if both else own  # type: ignore[dict-item]
    if "runTags" in setting:
        members["tags"] = {**common["tags"], **setting["runTags"]}
    return members


def read(
    given: Iterable[Any] | bytes, default: Mapping[str, Any], batch_id: str, runs: Runs, rules: BatchRules
) -> Settings:
    """Return the settings of all members, checked.

    :param given: ``inlineSettings``, or the content of the file in S3.
    :raises SettingsError: they cannot be used.
    """
    refusal = None
    try:
        common = completed(runs, default, batch_id)
    except OmicsServiceError as error:
        # What was there when the batch was started is gone: StartRun refuses every member.
        common, refusal = _common(default, batch_id), (error.code, error.message)
    settings = Settings(common, runs_uses.found(runs.backend, common))
    total = 0
    checks = _Checks(settings, runs, rules, refusal)
    for text, setting in _entries(given):
        if not isinstance(setting, dict) or not isinstance(setting.get("runSettingId"), str):
            raise SettingsError(INVALID_JSON)
        total += 1
        if total <= MOST_MEMBERS:
            checks.add(text, setting)
    if total > MOST_MEMBERS:
        raise SettingsError(f"Batch has {total} runs but {MOST_MEMBERS} runs is the max.")
    if not total:
        raise SettingsError(INVALID_JSON)
    if len(settings.positions) < total:
        raise SettingsError(f"Expected {total} unique runSettingIds but there were {len(settings.positions)}")
    return settings


def _entries(given: Iterable[Any] | bytes) -> Iterator[tuple[bytes, Any]]:
    """Yield text and value of each entry; a file is not held as values all at once."""
    if not isinstance(given, bytes):
        for setting in given:
            yield json.dumps(setting, separators=(",", ":")).encode(), setting
        return
    try:
        text = given.decode("utf-8-sig")
        decoder, position = json.JSONDecoder(), _after_space(text, 0)
        separator = "["
        while text[position] == separator:
            position = _after_space(text, position + 1)
            if separator == "[" and text[position] == "]":
                break
            setting, end = decoder.raw_decode(text, position)
            yield text[position:end].encode(), setting
            position, separator = _after_space(text, end), ","
        if text[position] != "]" or _after_space(text, position + 1) < len(text):
            raise SettingsError(INVALID_JSON)
    except (ValueError, IndexError, RecursionError):
        raise SettingsError(INVALID_JSON) from None


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


class _Checks:
    """Checks members one after the other, and keeps what is needed of each."""

    def __init__(
        self, settings: Settings, runs: Runs, rules: BatchRules, refusal: tuple[str, str] | None
    ) -> None:
        self._settings, self._runs, self._rules, self._refusal = settings, runs, rules, refusal
        inline = operation_model("StartRunBatch").input_shape.members["batchRunSettings"]
        self._shape = inline.members["inlineSettings"].member
        self._members = frozenset(self._shape.members)

    def add(self, text: bytes, setting: dict[str, Any]) -> None:
        settings, position = self._settings, len(self._settings.texts)
        settings.texts.append(text)
        settings.ids.append(setting["runSettingId"])
        settings.positions[setting["runSettingId"]] = position
        life = WORLD.lives[WORLD.default_life]
        failure = self._scripted(setting["runSettingId"]) or self._refusal
        try:
            self._check(setting)
            members = _merged(settings.common, setting)
            runs_start.completed(self._runs, members)
            life = WORLD.life_of(members["tags"])
        except OmicsServiceError as error:
            failure = failure or (error.code, error.message)
        settings.lives.append(life)
        if failure is not None:
            settings.failures[position] = failure

    def _scripted(self, setting_id: str) -> tuple[str, str] | None:
        """Return why a member fails because the test says so."""
        if setting_id in self._rules.fail:
            return failure_of(self._rules.fail[setting_id])
        if not self._rules.fail_share:
            return None
        left = WORLD.random.random()
        for reason, share in self._rules.fail_share.items():
            left -= share
            if left < 0:
                return failure_of(reason)
        return None

    def _check(self, setting: dict[str, Any]) -> None:
        problems = codec.problems(self._shape, "runSetting", setting)
        problems += [f"'{name}' is no member of a run setting" for name in setting.keys() - self._members]
        if problems:
            raise codec.refusal(problems)
