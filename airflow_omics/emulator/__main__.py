"""``python -m airflow_omics.emulator``: a local HealthOmics over HTTP, until a signal ends it."""

from __future__ import annotations

import argparse
import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = argparse.ArgumentParser(
        prog="python -m airflow_omics.emulator",
        description="A local AWS HealthOmics over HTTP, with all of moto beside it.",
    )
    options.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    options.add_argument("--port", type=int, default=4300, help="0 picks a free one (default: %(default)s)")
    options.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="60 makes a run of 20 minutes take 20 seconds (default: %(default)s)",
    )
    options.add_argument("--life", help="life of a run that names none (default: completed)")
    options.add_argument("--account", help="account id of every request (default: moto's, 123456789012)")
    options.add_argument("--limit", type=float, help="calls a second, for each operation (default: no limit)")
    options.add_argument("--seed", type=int, help="makes run ids repeatable")
    return options


def _check(options: argparse.Namespace) -> None:
    """Check the options that the server knows by other names.

    :raises ValueError: one of them makes no sense.
    """
    from airflow_omics.emulator.world.limits import MOST_A_SECOND, is_rate

    if not 0 <= options.port <= 65535:
        raise ValueError(f"--port is {options.port}; give one from 1 to 65535, or 0 for any that is free")
    if options.account is not None and not re.fullmatch("[0-9]{12}", options.account):
        raise ValueError(f"--account is {options.account!r}; give an account id of 12 digits")
    if options.limit is not None and not is_rate(options.limit):
        raise ValueError(
            f"--limit is {options.limit}; give calls a second, up to {MOST_A_SECOND}, or leave it out"
        )


def _reason(error: Exception, options: argparse.Namespace) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return (
            f"port {options.port} of {options.host} is in use; give another --port, or 0 for any that is free"
        )
    return str(error)


def _hints(url: str) -> str:
    """Return what is printed at the start: a script for a shell, with what other SDKs take as comments."""
    return f"""HealthOmics emulator ready at {url}
# Python (boto3) and the AWS CLI:
export AWS_ENDPOINT_URL={url} AWS_DISABLE_HOST_PREFIX_INJECTION=true
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_DEFAULT_REGION=us-east-1
# Other SDKs read these as well, but for the host prefix (docs/use/emulator.md, "The host prefix"):
# JavaScript: new OmicsClient({{ endpoint: "{url}", disableHostPrefix: true }})
# Java: overrideConfiguration(c -> c.putAdvancedOption(
#           SdkAdvancedClientOption.DISABLE_HOST_PREFIX_INJECTION, true))
# Go: smithyhttp.DisableEndpointHostPrefix(ctx, true), in an Initialize middleware of the client"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    options = parser().parse_args(arguments)
    try:
        _check(options)
    except ValueError as error:
        print(f"the emulator cannot start: {error}", file=sys.stderr)
        return 2
    if options.account is not None:
        # moto reads it wherever it asks for an account.
        os.environ["MOTO_ACCOUNT_ID"] = options.account
    from airflow_omics.emulator import EmulatorServer

    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    server = EmulatorServer(
        options.host,
        options.port,
        pace=options.pace,
        life=options.life,
        seed=options.seed,
        limit=options.limit,
    )
    try:
        server.start()
    except (OSError, ValueError) as error:
        print(f"the emulator cannot start: {_reason(error, options)}", file=sys.stderr)
        return 2
    print(_hints(server.endpoint_url), flush=True)
    stopped.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    # The package imports before this module does, so a missing moto has already said so.
    sys.exit(main())
