"""``make programs``: bring the programs that tests need, or say at once what to install.

``python -m scripts.programs postgresql`` brings one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from scripts.setup.programs import MissingProgramError, bring


def main(names: Sequence[str]) -> int:
    """Bring each of the programs named; return the exit code."""
    missing = []
    for name in names:
        try:
            bring(name)
        except MissingProgramError as error:
            missing.append(str(error))
    for sentence in missing:
        print(sentence, file=sys.stderr)
    if missing:
        print("`make check` runs the tests that need none of these programs.", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
