"""``make contract PROFILE=... OUTPUT=s3://...``: try on the service what the emulator takes for granted."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.contract import batch_claims, claims
from tests.contract.claims import POINTS, Finding
from tests.contract.clean_up import Interrupted, clean_up
from tests.contract.world import ContractError, Settings, World


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = argparse.ArgumentParser(prog="make contract", description=__doc__)
    options.add_argument("--profile", help="profile of the credentials (PROFILE)")
    options.add_argument("--region", help="Region, if the profile has none (REGION)")
    options.add_argument(
        "--output", default="", help="an S3 URI of yours, such as s3://bucket/prefix (OUTPUT)"
    )
    options.add_argument("--role", help="service role of the runs; one is made without it (ROLE)")
    options.add_argument("--yes", action="store_true", help="do not ask before anything is made (YES=1)")
    options.add_argument("--json", type=Path, help="write what was found to this file as well (JSON)")
    return options


def try_all(world: World) -> tuple[list[Finding], list[str], BaseException | None]:
    """Try every claim, print what each has found, and take away what was made, whatever happens.

    :return: what was found, a sentence for each thing that is left, and what ended it early.
    """
    found: list[Finding] = []
    ended_by: BaseException | None = None
    try:
        world.prepare()
        for finding in itertools.chain(claims.tried(world), batch_claims.tried(world)):
            found.append(finding)
            world.say(line(finding))
    except (Exception, KeyboardInterrupt) as error:
        ended_by = error
    world.say("taking away what was made")
    try:
        left = clean_up(world)
    except Interrupted as error:
        left, ended_by = error.left, error
    for sentence in left:
        world.say(sentence)
    return found, left, ended_by


def line(finding: Finding) -> str:
    """Return what a claim has found, in a line."""
    mark = {True: "holds", False: "DIFFERS", None: "open"}[finding.holds]
    return f"{mark:8}{finding.claim}: {finding.says}"


def summary(found: Sequence[Finding]) -> str:
    """Return which of the open points are settled, and how."""
    lines = []
    for point, what in POINTS.items():
        of_it = [finding for finding in found if finding.point == point]
        settled = [finding for finding in of_it if finding.holds is not None]
        mark = "open" if not settled else "settled" if settled == of_it else "partly"
        lines.append(f"{mark:8} {point}  {what}")
        lines += [
            f"            {'open: ' if finding.holds is None else ''}{finding.claim}: {finding.says}"
            for finding in of_it
        ]
    differs = [finding for finding in found if finding.holds is False]
    lines.append(f"{len(found)} claims tried, {len(differs)} of them differ from what is claimed")
    return "\n".join(lines)


def _agrees(ask: Callable[[str], str]) -> bool:
    try:
        return ask("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print("nobody can be asked here; give YES=1 to go on")
        return False


def main(
    arguments: Sequence[str] | None = None,
    ask: Callable[[str], str] = input,
    config: Config | None = None,
    **settings: Any,
) -> int:
    """Try the contract.

    :param ask: asks a person.
    :param config: more settings of the clients.
    :param settings: more of :class:`Settings`.
    :return: 0 if every claim holds and nothing is left, 1 if not, 2 if it could not be tried.
    :raises KeyboardInterrupt: Ctrl-C was pressed, and nothing is left.
    """
    options = parser().parse_args(arguments)
    try:
        world = World(
            boto3.Session(profile_name=options.profile, region_name=options.region),
            Settings(options.output, options.role, **settings),
            lambda text: print(text, flush=True),
            config,
        )
        if options.json is not None:
            _writable(options.json)
        print(world.plan())
        if not (options.yes or _agrees(ask)):
            print("nothing was made")
            return 2
    except (BotoCoreError, ClientError, ContractError) as error:
        return _not_tried(error)
    found, left, ended_by = try_all(world)
    print(f"\n{summary(found)}")
    written = options.json is None or _written(options.json, found)
    if isinstance(ended_by, (BotoCoreError, ClientError, ContractError)):
        code = _not_tried(ended_by)
        return 1 if left else code
    if ended_by is not None and not (left and isinstance(ended_by, KeyboardInterrupt)):
        raise ended_by
    return 1 if left or not written or any(finding.holds is False for finding in found) else 0


def _not_tried(error: Exception) -> int:
    print(f"the contract could not be tried: {error}", file=sys.stderr)
    return 2


def _writable(path: Path) -> None:
    """Check that a file can be written, before anything is made.

    :raises ContractError: it cannot.
    """
    new = not path.exists()
    try:
        path.open("a").close()
        if new:
            path.unlink()
    except OSError as error:
        raise ContractError(f"JSON is {str(path)!r}, which cannot be written: {error.strerror}") from None


def _written(path: Path, found: Sequence[Finding]) -> bool:
    try:
        path.write_text(json.dumps([finding._asdict() for finding in found], indent=2) + "\n")
    except OSError as error:
        print(f"{path} could not be written: {error.strerror}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
