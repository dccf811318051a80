"""What the commands that start a stack have in common on a terminal."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from scripts.stack.stack import DATABASES

_COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(text: str, code: str) -> str:
    """Return the text in a colour, if the terminal has any."""
    return f"\033[{code}m{text}\033[0m" if _COLOURED and code else text


def say(text: str) -> None:
    """Report a step that begins."""
    print(f"  {paint('·', '2')} {text} ...", flush=True)


def options(name: str) -> argparse.ArgumentParser:
    """Return a parser of what every such command takes: the database.

    :param name: the command's name, for its help.
    """
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--database", choices=DATABASES, default="sqlite", help="default: %(default)s")
    return parser


def chosen_database(name: str) -> Any:
    """Return the database that the command line asks for.

    :param name: the command's name, for its help.
    """
    return options(name).parse_args().database
