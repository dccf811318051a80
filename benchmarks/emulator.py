"""What the emulator costs: until it answers, for a GetRun and a page of ListRuns, and what of it is moto's.

``make bench-emulator``. Each start is a process of its own; each figure is the median of several, and what is
compared is measured in turn. Seconds of the wall clock, on the machine that runs it.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

STARTS = {
    "moto's core and server, botocore": (
        "import moto.core.models, moto.backends, moto.moto_server.werkzeug_app"
    ),
    "import airflow_omics.emulator": "import airflow_omics.emulator",
    "first GetRun in process": (
        "import boto3\n"
        "from airflow_omics.emulator import mock_omics\n"
        "with mock_omics() as emulator:\n"
        "    [run] = emulator.start_runs(1, region_name='us-east-1')\n"
        "    boto3.client('omics', region_name='us-east-1').get_run(id=run)"
    ),
    "a boto3 client of moto's S3, for comparison": (
        "import boto3\n"
        "from moto import mock_aws\n"
        "with mock_aws():\n"
        "    boto3.client('s3', region_name='us-east-1').list_buckets()"
    ),
}
HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/omics/aws4_request, Signature=0"
}


def seconds(code: str) -> float:
    """Return how long a new Python takes for some code, its own start left out."""
    timed = f"import time\nbegun = time.perf_counter()\n{code}\nprint(time.perf_counter() - begun)"
    done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
    return float(done.stdout)


def until_ready() -> float:
    """Return how long ``python -m airflow_omics.emulator`` takes until it says that it is ready."""
    begun = time.perf_counter()
    command = [sys.executable, "-u", "-m", "airflow_omics.emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        taken = time.perf_counter() - begun
        process.terminate()
        process.communicate()
    return taken


def millis(call: Callable[[], object], calls: int) -> float:
    """Return the milliseconds of a call."""
    begun = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begun) / calls * 1000


def calls(rounds: int) -> dict[str, list[float]]:
    """Return milliseconds of each kind of call, by round."""
    from airflow_omics.emulator import EmulatorServer
    from airflow_omics.emulator.serving.answers import Incoming, answer

    with EmulatorServer() as server:
        [run, *_] = server.control.start_runs(1000, "running-forever", region_name="us-east-1")
        address = urlsplit(server.endpoint_url)
        assert address.hostname is not None
        connection = http.client.HTTPConnection(address.hostname, address.port)

        def get(path: str) -> None:
            connection.request("GET", path, headers=HEADERS)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body

        def in_process(path: str, query: str = "") -> None:
            assert answer(Incoming("GET", path, query, HEADERS, b"", "localhost")).status == 200

        kinds: dict[str, Callable[[], object]] = {
            "the server alone: now() of the control": lambda: get("/omics-emulator/now"),
            "GetRun over HTTP": lambda: get(f"/run/{run}"),
            "GetRun without HTTP": lambda: in_process(f"/run/{run}"),
            "ListRuns over HTTP, a page of 100": lambda: get("/run?maxResults=100"),
            "ListRuns without HTTP": lambda: in_process("/run", "maxResults=100"),
        }
        taken: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, call in kinds.items():
                taken[kind].append(millis(call, 50 if "ListRuns" in kind else 300))
        return taken


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    rounds = options.parse_args().rounds
    starts: dict[str, list[float]] = {name: [] for name in STARTS}
    starts["python -m airflow_omics.emulator, until ready"] = []
    for _ in range(rounds):
        for name, code in STARTS.items():
            starts[name].append(seconds(code))
        starts["python -m airflow_omics.emulator, until ready"].append(until_ready())
    for name, taken in starts.items():
        print(f"{name:48}{statistics.median(taken):8.2f} s   ({min(taken):.2f} to {max(taken):.2f})")
    for name, taken in calls(rounds).items():
        print(f"{name:48}{statistics.median(taken):8.2f} ms  ({min(taken):.2f} to {max(taken):.2f})")


if __name__ == "__main__":
    main()
