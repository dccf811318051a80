"""A database with Airflow's tables, filled row by row: what a page reads, with no Airflow that wrote it."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import airflow.models
import sqlalchemy
from airflow.models.base import Base
from airflow.utils.types import DagRunType
from sqlalchemy.orm import Session

TABLES = ("dag_run", "task_instance", "xcom")
NOON = datetime.datetime(2026, 1, 15, 12, tzinfo=datetime.UTC)


class AirflowDb:
    """Some of the tables of an Airflow.

    :param engine: of a database that has them; in memory, with the tables that a page reads, if left out.
    :ivar statements: what was asked since the last call of :meth:`forget`.
    """

    def __init__(self, engine: sqlalchemy.Engine | None = None) -> None:
        airflow.models.import_all_models()
        with warnings.catch_warnings():
            # What SQLAlchemy thinks of Airflow's models, it says to whoever uses them first.
            warnings.simplefilter("ignore")
            sqlalchemy.orm.configure_mappers()
        self._tables = Base.metadata.tables
        self.engine = engine or sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.StaticPool)
        if engine is None:
            Base.metadata.create_all(self.engine, tables=[self._tables[name] for name in TABLES])
        self._dag_runs: dict[tuple[str, str], int] = {}
        self.statements: list[str] = []
        sqlalchemy.event.listen(self.engine, "before_cursor_execute", self._note)

    @contextmanager
    def session(self, scoped: bool = True) -> Iterator[Session]:
        """What ``airflow.utils.session.create_session`` is to this database."""
        with Session(self.engine) as session:
            yield session

    def forget(self) -> None:
        """Forget what was asked."""
        self.statements.clear()

    def dag_run(self, dag_id: str, run_id: str) -> None:
        """Add a DAG run."""
        number = len(self._dag_runs) + 1
        self._dag_runs[dag_id, run_id] = number
        self._insert(
            "dag_run",
            [
                {
                    "id": number,
                    "dag_id": dag_id,
                    "run_id": run_id,
                    "run_type": DagRunType.MANUAL,
                    "logical_date": NOON + datetime.timedelta(days=number),
                    "run_after": NOON,
                    "queued_at": NOON,
                    "start_date": NOON,
                    "state": "running",
                    "log_template_id": None,
                }
            ],
        )

    def task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        *map_indexes: int,
        operator: str | None = "OmicsRunSensor",
        **row: Any,
    ) -> None:
        """Add a task's instances: one that is not mapped, or so many."""
        whose = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "operator": operator}
        more = {"state": "deferred", "start_date": NOON, "try_number": 1, "pool": "default_pool", **row}
        self._insert(
            "task_instance", [{**whose, **more, "map_index": index} for index in map_indexes or (-1,)]
        )

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str, value: Any, *, map_index: int = -1
    ) -> None:
        """Add an XCom."""
        self.xcoms(dag_id, run_id, task_id, key, {map_index: value})

    def xcoms(self, dag_id: str, run_id: str, task_id: str, key: str, values: dict[int, Any]) -> None:
        """Add XComs by map index."""
        whose = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "key": key}
        number = self._dag_runs[dag_id, run_id]
        rows = [
            {**whose, "dag_run_id": number, "map_index": index, "value": value, "timestamp": NOON}
            for index, value in values.items()
        ]
        self._insert("xcom", rows)

    def write_text(self, dag_id: str, task_id: str, key: str, text: str) -> None:
        """Put text into a value, JSON or not."""
        statement = sqlalchemy.text(
            "UPDATE xcom SET value = :text WHERE dag_id = :dag AND task_id = :task AND key = :key"
        )
        with self.engine.begin() as connection:
            connection.execute(statement, {"text": text, "dag": dag_id, "task": task_id, "key": key})

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        with self.engine.begin() as connection:
            connection.execute(self._tables[table].insert(), rows)

    def _note(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        self.statements.append(statement)
