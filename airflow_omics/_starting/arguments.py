"""What a start operator asks of StartRun: its rendered arguments, read, checked, and made into requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from airflow_omics._starting.attempt import Attempt, digest_of
from airflow_omics._starting.request import (
    MEMBER_OF_ARGUMENT,
    build_request,
    check_extra,
    check_rerun_with,
)
from airflow_omics._task.files import FileBesideDag
from airflow_omics._task.hidden import is_path, shown_value
from airflow_omics._task.task_key import TaskKey
from airflow_omics._task.values import NOT_RENDERED, is_unrendered
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.hooks import OmicsHook


class StartArguments(NamedTuple):
    """The arguments of one try.

    :param arguments: by the operator's names.
    :param extra: ``start_run_kwargs``.
    :param name_suffix: whether a given name gets the digits of the task.
    :param try_number: of the task.
    """

    arguments: Mapping[str, Any]
    extra: Mapping[str, Any]
    name_suffix: bool
    try_number: int

    def __repr__(self) -> str:
        return f"StartArguments(try_number={self.try_number})"  # the rest may be patient data

    @classmethod
    def of(cls, operator: Any, context: Any) -> StartArguments:
        """Read the arguments of a rendered ``OmicsStartRunOperator``.

        What is wrong for certain is reported here, before any call.

        :raises OmicsRequestError: naming the argument, what was given and what it takes.
        """
        try:
            arguments = read_arguments(operator, context, MEMBER_OF_ARGUMENT)
            extra = shown_value(operator.start_run_kwargs) or {}
            check_extra(extra, OmicsHook.start_run_members() if extra else {}, arguments)
            made = cls(arguments, extra, operator.name_suffix, context["ti"].try_number)
            made._check(settings_of_reruns(operator))
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        return made

    def request(self, attempt: Attempt, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return StartRun's members for an attempt, except ``requestId``.

        :param changes: arguments to change, one dict after the other.
        :raises OmicsRequestError: naming the argument, what was given and what it takes.
        """
        try:
            return self._build(attempt, changes)
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None

    @property
    def has_shared_name(self) -> bool:
        """Whether runs of other tasks may have the same name."""
        return not self.name_suffix and self.arguments["name"] is not None

    def names(self, attempt: Attempt, reruns: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """Return the names that a run of this task may have.

        :param reruns: the changed arguments of ``rerun_with``.
        """
        given = [self.arguments["name"], *(changes["name"] for changes in reruns if "name" in changes)]
        return tuple(dict.fromkeys(attempt.run_name(name, self.name_suffix) for name in given))

    def _check(self, rerun_with: Mapping[str, Mapping[str, Any]]) -> None:
        anyone = Attempt(TaskKey("", "", ""))
        self._build(anyone, ())
        check_rerun_with(rerun_with)
        for reason, changes in rerun_with.items():
            try:
                for name, value in changes.items():
                    check_is_rendered(name, value)
                self._build(anyone, (changes,))
            except ValueError as error:
                raise ValueError(f"rerun_with[{reason!r}]: {error}") from None

    def _build(self, attempt: Attempt, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        arguments = dict(self.arguments)
        for change in changes:
            arguments = changed(arguments, change)
        request = build_request(arguments, self.extra)
        request["name"] = attempt.run_name(request.get("name"), self.name_suffix)
        digest = digest_of({member: value for member, value in request.items() if member != "name"})
        request["tags"] = attempt.tags(request.get("tags") or {}, self.try_number, digest)
        return request


def read_arguments(operator: Any, context: Any, members: Mapping[str, str]) -> dict[str, Any]:
    """Return the rendered arguments of a start operator, and the parameters of a file as an object.

    :param members: the names of the arguments.
    :raises ValueError: a template was not rendered, or the file of parameters is none.
    """
    arguments = {name: shown_value(getattr(operator, name)) for name in members}
    for name, value in arguments.items():
        check_is_rendered(name, value)
    if isinstance(arguments["parameters"], str):
        arguments["parameters"] = _read_parameters(arguments["parameters"], context.get("dag"))
    elif arguments["parameters"] is None and operator.parameters is not None:
        raise ValueError(
            "parameters came out as None, from a template or from an upstream task that pushed nothing; it "
            "takes a dict."
        )
    return arguments


def settings_of_reruns(operator: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return ``rerun_with`` of a rendered start operator, by failureReason."""
    settings: Mapping[str, Mapping[str, Any]] = shown_value(operator.rerun_with) or {}
    return settings


def _read_parameters(text: str, dag: Any) -> Any:
    if not is_path(text):
        raise ValueError(
            "parameters is text, but not the path of a .json or .yaml file; it takes a dict (an upstream "
            "task's output itself, not a template of it), or such a path relative to the DAG file."
        )
    file = FileBesideDag("parameters", text, None if dag is None else dag.folder)
    is_json = file.path.suffix == ".json"
    parameters = file.parsed(json.loads if is_json else _load_yaml, "JSON" if is_json else "YAML")
    if not isinstance(parameters, Mapping):
        raise file.error(f"holds a {type(parameters).__name__}; it takes an object.")
    return parameters


def _load_yaml(content: str) -> Any:
    import yaml  # type: ignore[import-untyped]

    return yaml.safe_load(content)


def check_is_rendered(name: str, value: Any) -> None:
    """Raise ValueError if an argument still holds a template."""
    if is_unrendered(value):
        raise ValueError(f"{name} {NOT_RENDERED}")


def changed(arguments: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with some of them changed; parameters and tags are merged."""
    made = dict(arguments)
    for name, value in changes.items():
        merge = name in ("parameters", "tags", "run_tags") and isinstance(value, Mapping)
        made[name] = {**(made[name] or {}), **value} if merge else value
    return made
