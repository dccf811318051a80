"""A real API server that has pages and nothing else of an Airflow, asked as a browser or a program would."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import jwt
import sqlalchemy

from airflow_omics._monitoring.snapshot import run_snapshot
from scripts.stack import Stack
from tests.support.airflow_db import NOON, AirflowDb

SECRET: Final = "for signing tokens in tests, as long as such a key has to be......"
RUN: Final = "manual__2026-01-15T12:00:00+00:00"
PAGES: Final = {
    "cohort": (f"/healthomics/run/cohort/{RUN}/gate/-1", f"/healthomics/cohort/cohort/{RUN}"),
    "other": (f"/healthomics/run/other/{RUN}/gate/-1", f"/healthomics/cohort/other/{RUN}"),
}
"""Every route, by the DAG that it is asked for."""

SETTINGS: Final = {"AIRFLOW__API_AUTH__JWT_SECRET": SECRET}


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str


class Pages:
    """Asks for pages.

    :param stack: the Airflow.
    """

    def __init__(self, stack: Stack) -> None:
        parts = urlsplit(stack.airflow_url)
        self._where = (str(parts.hostname), int(parts.port or 0))
        self._base = parts.path

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Return the answer to a request, whose path is sent as it is."""
        connection = http.client.HTTPConnection(*self._where, timeout=30)
        try:
            connection.request(method, self._base + path, headers=headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()

    def token(self, user: str, password: str) -> str:
        """Return a token of a user, as logging in gives it."""
        connection = http.client.HTTPConnection(*self._where, timeout=30)
        body = json.dumps({"username": user, "password": password})
        connection.request("POST", f"{self._base}/auth/token", body, {"Content-Type": "application/json"})
        token: str = json.load(connection.getresponse())["access_token"]
        connection.close()
        return token


def bearer(token: str) -> dict[str, str]:
    """Return the header of a program."""
    return {"Authorization": f"Bearer {token}"}


def cookie(token: str) -> dict[str, str]:
    """Return the header of a browser."""
    return {"Cookie": f"_token={token}"}


def ended(token: str) -> str:
    """Return the token of a session as it is an hour after its end."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    past = int(time.time()) - 7200
    claims |= {"iat": past, "nbf": past, "exp": past + 3600}
    return jwt.encode(claims, SECRET, algorithm=header["alg"], headers=header)


def fill(url: str) -> AirflowDb:
    """Put two DAGs into an Airflow's database, each with a gate, and one with a mapped gate."""
    db = AirflowDb(sqlalchemy.create_engine(url))
    for dag_id in PAGES:
        db.dag_run(dag_id, RUN)
        db.task(dag_id, RUN, "gate")
        record = {"id": f"run of {dag_id}", "status": "RUNNING", "parameters": {"sample": "PATIENT-4711"}}
        db.xcom(dag_id, RUN, "gate", "omics_run", run_snapshot(record, NOON.timestamp()))
        db.xcom(dag_id, RUN, "gate", "return_value", record)
    db.task("cohort", RUN, "mapped", 0, 1)
    db.xcoms(
        "cohort",
        RUN,
        "mapped",
        "omics_run",
        {index: run_snapshot({"id": f"mapped {index}", "status": "PENDING"}, 0) for index in (0, 1)},
    )
    return db
