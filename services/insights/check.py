"""`python -m services.insights.check RULES.yaml`: whether a rules file can be used, before it is put in its place.

Prints each mistake with line, rule and field; exit code 0 when there is none, else 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from services.chassis.errors import SettingError
from services.insights.adapters.rules_file import PACKAGED_RULES, load_rules


def main(arguments: list[str]) -> int:
    """Check one file; without an argument the packaged one."""
    path = Path(arguments[0]) if arguments else PACKAGED_RULES
    try:
        book = load_rules(path)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path}: {len(book.rules)} rules, {len(book.steps)} steps of the checklist")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
