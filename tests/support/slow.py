"""The tests that `make check` leaves out, so that it takes a minute and not three; `make test` has them."""

from __future__ import annotations

# Each is the beginning of a test's id. A module is here if it takes more than four seconds of a processor or
# waits in real time, unless it shows what everybody's change may break: how a task ends, and what is refused.
SLOW = (
    # The whole life of a run, again and again: each way to die, to clear, to end and to find a start again.
    "tests/unit/test_start_run_again.py",
    "tests/unit/test_start_run_clears.py",
    "tests/unit/test_start_run_deaths.py",
    "tests/unit/test_start_run_ends.py",
    "tests/unit/test_start_run_search.py",
    "tests/unit/test_start_run_kill.py",
    "tests/unit/test_start_run_same_request.py",
    # Runs that are waited for again and again: under each error, to each end, on each connection.
    "tests/unit/test_cancel_run.py",
    "tests/unit/test_connection_elsewhere.py",
    "tests/unit/test_connection_unread.py",
    "tests/unit/test_diagnosis.py",
    "tests/unit/test_iam.py",
    "tests/unit/test_secrets.py",
    "tests/unit/test_transient_errors.py",
    "tests/unit/test_upgrade.py",
    "tests/emulator/test_conformance.py",
    "tests/emulator/test_lives.py",
    "tests/emulator/test_other_requests.py",
    "tests/emulator/test_runs_record.py",
    # Processes of their own: Airflow's parser and its providers, the AWS CLI, the emulator, another pytest.
    "tests/unit/test_parsing.py",
    "tests/unit/test_provider_info.py",
    "tests/emulator/test_clients.py",
    "tests/emulator/test_docs.py",
    "tests/emulator/test_server.py",
    "tests/scripts/test_benchmarks.py",
    # Waits with the intervals, rates and outages of a triggerer, in real time.
    "tests/triggerer/test_cheaper_way.py",
    "tests/triggerer/test_clocks.py",
    "tests/triggerer/test_connection_elsewhere.py",
    "tests/triggerer/test_connection_lost.py",
    "tests/triggerer/test_endings_deferred.py",
    "tests/triggerer/test_faults.py",
    "tests/triggerer/test_from_trigger.py",
    "tests/triggerer/test_identity_watched.py",
    "tests/triggerer/test_kill.py",
    "tests/triggerer/test_leaving.py",
    "tests/triggerer/test_metrics.py",
    "tests/triggerer/test_never_matters.py",
    "tests/triggerer/test_never_reached.py",
    "tests/triggerer/test_news.py",
    "tests/triggerer/test_rate.py",
    "tests/triggerer/test_sharing.py",
)
