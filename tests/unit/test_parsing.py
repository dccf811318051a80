"""Airflow takes the DAG files of this package in a deployment as they are: with plugins, listeners, teams."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LISTENER = """
import sys
from airflow.plugins_manager import AirflowPlugin
class Listening(AirflowPlugin):
    name = "listening"
    listeners = [sys.modules[__name__]]
"""
COLLECT = """
import inspect, json, sys, warnings
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
try:
    from airflow.serialization.serialized_objects import DagSerialization as Serialized
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as Serialized
# [core] load_examples also loads their plugins, with a listener; their DAGs would take a minute.
takes = inspect.signature(DagBag).parameters
without_examples = {"include_examples": False} if "include_examples" in takes else {}
found = {"errors": {}, "dags": 0, "ending": 0, "starting": 0, "warned": []}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for path in sys.argv[1:]:
        bag = DagBag(path, **without_examples)
        found["errors"].update(bag.import_errors)
        for dag in bag.dags.values():
            found["dags"] += 1
            Serialized.from_dict(json.loads(json.dumps(Serialized.to_dict(dag))))
            for task in dag.tasks:
                found["ending"] += bool(getattr(task, "end_from_trigger", False))
                found["starting"] += bool(task.start_from_trigger)
        # Airflow keeps a file's warnings beside it.
        for warned in getattr(bag, "captured_warnings", {}).values():
            found["warned"] += warned
found["warned"] += [f"{w.category.__name__} {w.filename}: {w.message}" for w in caught]
print("found:", json.dumps(found))
"""
DEPLOYMENTS = {
    "as it comes": {},
    "with Airflow's examples": {"AIRFLOW__CORE__LOAD_EXAMPLES": "True"},
    "with a listener, in teams": {"AIRFLOW__CORE__MULTI_TEAM": "True", "plugins": True},
    "strict": {
        "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.*",
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        "AIRFLOW__OPERATORS__ALLOW_ILLEGAL_ARGUMENTS": "False",
        "AIRFLOW__TRIGGERER__QUEUES_ENABLED": "True",
    },
}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_airflow_takes_every_dag_file(deployment: str, tmp_path: Path) -> None:
    settings = dict(DEPLOYMENTS[deployment])
    if settings.pop("plugins", False):
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "listening.py").write_text(LISTENER)
    every_kind = REPOSITORY / "tests" / "support" / "dags_to_parse.py"
    files = [*sorted((REPOSITORY / "example_dags").glob("*.py")), every_kind]
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, *map(str, files)],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    can_end = importlib.util.find_spec("airflow.sdk") is not None
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("found: ")[2])
    assert found["errors"] == {}
    assert found["dags"] == len(files) - 1 + 5
    assert (found["ending"] > 0) == (can_end and deployment in ("as it comes", "strict"))
    ours = "UserWarning.*: Task '[a-z_.]+' uses a worker: (start|end)_from_trigger has no effect because "
    about_ours = [w for w in found["warned"] if re.search("example_dags/|dags_to_parse|/airflow_omics/", w)]
    assert [warned for warned in about_ours if not re.search(ours, warned)] == []
