"""The pytest plugin in somebody's test suite: what its fixtures lead to, and what it refuses.

That ``dag.test()`` works with it is shown by the tests of the documentation page, in ``test_docs.py``.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.any_airflow

CONFTEST = 'pytest_plugins = ["airflow_omics.emulator.pytest_plugin"]\n'


@pytest.fixture
def suite(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(suite: pathlib.Path, test: str, **environment: str) -> tuple[int, str]:
    """Run a test in a suite, and return exit code and output."""
    (suite / "test_it.py").write_text(textwrap.dedent(test))
    ours = ("AIRFLOW", "AWS_", "MOTO_", "PYTEST_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"],
        cwd=suite,
        env={**inherited, "TMPDIR": str(suite), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_boto3_and_each_connection_lead_to_the_emulator_alone(suite: pathlib.Path) -> None:
    (suite / "dags").mkdir()
    (suite / "dags" / "cohort.py").write_text("name = 'a module of the dags folder'\n")
    code, output = run(
        suite,
        """
        import json, os, pathlib
        import boto3, pytest

        @pytest.fixture
        def omics_connections():
            return ["aws_default", "aws_genomics"]

        def test_leads(omics_connection, omics_server):
            run = boto3.client("omics").start_run(
                workflowId="1", roleArn="arn:aws:iam::123456789012:role/R", outputUri="s3://bucket/runs"
            )
            assert omics_server.control.counts() == {"StartRun": 1}
            boto3.client("s3").create_bucket(Bucket="mine")
            for name in ("AWS_DEFAULT", "AWS_GENOMICS"):
                connection = json.loads(os.environ[f"AIRFLOW_CONN_{name}"])
                assert connection["extra"]["endpoint_url"] == omics_server.endpoint_url

        def test_each_test_has_its_own(omics_server):
            assert omics_server.control.counts() == {}

        def test_airflow_has_a_home_and_a_database_of_its_own():
            import cohort
            home = pathlib.Path(os.environ["AIRFLOW_HOME"])
            assert home.is_dir()
            assert os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{home}/airflow.db"
            assert os.environ["AIRFLOW__CORE__DAGS_FOLDER"] == str(pathlib.Path(__file__).parent / "dags")
        """,
        AWS_PROFILE="nobody",
        AWS_ENDPOINT_URL_OMICS="http://127.0.0.1:9",
        AWS_ENDPOINT_URL_S3="http://127.0.0.1:9",
        AIRFLOW_HOME="/nowhere",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql://production/airflow",
    )
    assert code == 0, output
    assert "3 passed" in output
    assert not list(suite.glob("airflow-omics-tests-*"))  # its home is gone with it


def test_airflow_is_left_alone_on_request(suite: pathlib.Path) -> None:
    (suite / "pytest.ini").write_text("[pytest]\nomics_airflow = false\n")
    code, output = run(
        suite,
        """
        import os

        def test_it(omics_database):
            assert os.environ["AIRFLOW_HOME"] == "/nowhere"
            assert "AIRFLOW__CORE__DAGS_FOLDER" not in os.environ
        """,
        AIRFLOW_HOME="/nowhere",
    )
    assert code == 0, output


def test_a_dags_folder_that_is_none_is_refused_in_one_sentence(suite: pathlib.Path) -> None:
    (suite / "pytest.ini").write_text("[pytest]\nomics_dags = pipelines\n")
    code, output = run(suite, "def test_it(): pass\n")
    assert code == 4
    assert output == (
        f"ERROR: omics_dags is 'pipelines', and {suite}/pipelines is no folder; "
        "give the folder of your DAGs, from the root\n\n"
    )


def test_an_airflow_that_is_imported_too_early_is_refused_in_one_sentence(suite: pathlib.Path) -> None:
    (suite / "conftest.py").write_text(f"import airflow.configuration\n{CONFTEST}")
    code, output = run(suite, "def test_it(): pass\n", AIRFLOW_HOME=str(suite))
    assert code == 4
    assert "ERROR: Airflow was imported before airflow_omics.emulator.pytest_plugin" in output


def test_one_connection_that_is_no_list_is_refused_in_one_sentence(suite: pathlib.Path) -> None:
    code, output = run(
        suite,
        """
        import pytest

        @pytest.fixture
        def omics_connections():
            return "aws_genomics"

        def test_it(omics_connection):
            pass
        """,
    )
    assert code == 1
    assert "omics_connections is 'aws_genomics'; return a list of connection ids, such as [" in output


def test_nothing_of_it_is_imported_by_those_who_do_not_ask() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import airflow_omics.emulator, sys; print('pytest' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "False\n"
