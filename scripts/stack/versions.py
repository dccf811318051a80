"""What differs between Airflow 2.11 and Airflow 3 for one who runs it and asks it through its REST API.

Only here is it known which of the two is installed; everything else asks :func:`installed`. Nothing is asked
of a running Airflow here: the question is returned, for who has the connection to ask it.
"""

from __future__ import annotations

import importlib.metadata
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from scripts.stack.processes import StackError

__all__ = ["JOBS", "Airflow", "ApiQuestion", "SqlQuestion", "installed"]

# What Airflow calls the record that such a part keeps of itself in the database. Celery's workers keep none.
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}


@dataclass(frozen=True)
class ApiQuestion:
    """A request to Airflow's REST API.

    :ivar read: makes what was wanted of the answer.
    :ivar body: what is posted; without it the request is a GET.
    """

    path: str
    read: Callable[[Any], Any]
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class SqlQuestion:
    """A statement for Airflow's database.

    :ivar read: makes what was wanted of the lines that ``psql`` prints.
    """

    sql: str
    read: Callable[[str], Any]


class Airflow(Protocol):
    """An Airflow, as its series would have it.

    :ivar api: where its REST API begins.
    :ivar health: where it says how its parts are.
    """

    api: str
    health: str

    def command(self, kind: str) -> list[str]:
        """Return the arguments of ``airflow`` that start a part of a kind, such as ``api-server``."""

    def settings(self, home: Path, url: str, user: str, password: str) -> dict[str, str]:
        """Return environment variables, and write the files that go with them.

        :param home: Airflow's home.
        :param url: where it listens, on this machine alone.
        :param password: of ``user``; if it is empty, everybody is an admin.
        """

    def login(self, user: str, password: str) -> ApiQuestion | None:
        """Return the question for the headers that a user's requests carry; None if they need none."""

    def jobs(self, kind: str) -> ApiQuestion | SqlQuestion:
        """Return the question how many processes of a kind Airflow has seen, with those that have ended."""

    def dag_run(self, conf: dict[str, Any], dag_run_id: str | None = None) -> dict[str, Any]:
        """Return what a DAG run is triggered with.

        :param dag_run_id: a name for the DAG run; Airflow makes one otherwise.
        """

    def extra_links(self, answer: dict[str, Any]) -> dict[str, str | None]:
        """Return the URLs by label from the answer to a question for a task's extra links."""


class Airflow3:
    """Tasks, users and the UI go to one API server, which signs tokens."""

    api = "/api/v2"
    health = "/api/v2/monitor/health"

    def command(self, kind: str) -> list[str]:
        return [*_named(kind), *_options(kind)]

    def settings(self, home: Path, url: str, user: str, password: str) -> dict[str, str]:
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({user: password}))
        return {
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": str(urlsplit(url).hostname),
            "AIRFLOW__API__PORT": str(urlsplit(url).port),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API__WORKERS": "1",
            # Airflow 3.0 signs nothing without an issuer.
            "AIRFLOW__API_AUTH__JWT_ISSUER": "airflow-omics",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": str(not password),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{user}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        }

    def login(self, user: str, password: str) -> ApiQuestion | None:
        def headers(answer: dict[str, Any]) -> dict[str, str]:
            return {"Authorization": f"Bearer {answer['access_token']}"}

        credentials = {"username": user, "password": password} if password else None
        return ApiQuestion("/auth/token", headers, credentials)

    def jobs(self, kind: str) -> ApiQuestion | SqlQuestion:
        path = f"{self.api}/jobs?limit=1&job_type={JOBS[kind]}"
        return ApiQuestion(path, lambda answer: int(answer["total_entries"]))

    def dag_run(self, conf: dict[str, Any], dag_run_id: str | None = None) -> dict[str, Any]:
        return {"logical_date": None, "conf": conf, **({"dag_run_id": dag_run_id} if dag_run_id else {})}

    def extra_links(self, answer: dict[str, Any]) -> dict[str, str | None]:
        links: dict[str, str | None] = answer["extra_links"]
        return links


class Airflow2:
    """A webserver for users, which asks nobody who he is; tasks go to the database, which is PostgreSQL."""

    api = "/api/v1"
    health = "/health"

    def command(self, kind: str) -> list[str]:
        return [*(["webserver"] if kind == "api-server" else _named(kind)), *_options(kind)]

    def settings(self, home: Path, url: str, user: str, password: str) -> dict[str, str]:
        if password:
            raise StackError("a stack of Airflow 2 has no login")
        (home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = "Admin"\n')
        return {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__SCHEDULER__STANDALONE_DAG_PROCESSOR": "True",
            "AIRFLOW__WEBSERVER__BASE_URL": url,
            "AIRFLOW__WEBSERVER__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": str(urlsplit(url).hostname),
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(urlsplit(url).port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
        }

    def login(self, user: str, password: str) -> ApiQuestion | None:
        return None

    def jobs(self, kind: str) -> ApiQuestion | SqlQuestion:
        return SqlQuestion(f"SELECT count(*) FROM job WHERE job_type = '{JOBS[kind]}'", int)

    def dag_run(self, conf: dict[str, Any], dag_run_id: str | None = None) -> dict[str, Any]:
        return {"conf": conf, **({"dag_run_id": dag_run_id} if dag_run_id else {})}

    def extra_links(self, answer: dict[str, Any]) -> dict[str, str | None]:
        return answer


def installed() -> Airflow:
    """Return the Airflow of this environment."""
    return Airflow2() if importlib.metadata.version("apache-airflow").startswith("2.") else Airflow3()


def _named(kind: str) -> list[str]:
    return ["celery", "worker"] if kind == "celery-worker" else [kind]


def _options(kind: str) -> list[str]:
    return ["--skip-serve-logs"] if kind in ("scheduler", "triggerer", "celery-worker") else []
