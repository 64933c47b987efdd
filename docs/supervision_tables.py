"""Makes the tables of docs/supervision.md from the code: `python docs/supervision_tables.py [--check]`.

With --check nothing is written; the exit code is 1 when the file differs from the code.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from services.supervision_orchestrator.config import OrchestratorSettings  # noqa: E402
from services.supervision_orchestrator.domain.coverage import FAILURES  # noqa: E402
from services.supervision_orchestrator.domain.stages import CALL_TRANSITIONS, Happening, Stage  # noqa: E402
from services.supervision_orchestrator.domain.targets import TRANSITIONS, Signal  # noqa: E402

DOCUMENT = REPOSITORY / "docs" / "supervision.md"
BLOCK = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def call_table() -> str:
    """Each stage's happenings: next stage, fact, what else."""
    rows = []
    for stage in Stage:
        for happening in Happening:
            move = CALL_TRANSITIONS.get((stage, happening))
            if move is not None:
                rows.append((stage.value, happening.value, move.stage.value, move.fact or "", move.then.value))
    return _table(("stage", "happening", "next stage", "fact published", "and"), rows)


def target_table() -> str:
    """Phases against signals."""
    phases = list(dict.fromkeys(phase for phase, _ in TRANSITIONS))
    rows = [
        (signal.value, *(str(TRANSITIONS.get((phase, signal), "")) for phase in phases)) for signal in Signal
    ]  # fmt: skip
    return _table(("signal", *(phase.value for phase in phases)), rows)


def reason_table() -> str:
    """What the last failure of a call without any audio makes of its terminal reason."""
    return _table(("failure", "terminal reason"), sorted(FAILURES.items()))


def settings_table() -> str:
    """The service's own environment variables."""
    rows = [
        (f"`{field.validation_alias}`", str(field.description), "" if field.default == "" else f"`{field.default}`")
        for field in OrchestratorSettings.model_fields.values()
        if str(field.validation_alias).startswith(("SUPERVISION_ORCHESTRATOR_", "RINGCENTRAL_JWT"))
        and not field.is_required()
    ]
    rows = [(name, text, "" if "*" in default or default == "``" else default) for name, text, default in rows]
    return _table(("variable", "meaning", "default"), sorted(rows))


def made(text: str) -> str:
    """The document with every marked block made anew."""
    tables = {"calls": call_table, "targets": target_table, "reasons": reason_table, "settings": settings_table}
    return BLOCK.sub(lambda block: f"{block[1]}\n{tables[block[2]]()}\n{block[3]}", text)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main() -> int:
    """The exit code."""
    text = DOCUMENT.read_text(encoding="utf-8")
    anew = made(text)
    if "--check" in sys.argv[1:]:
        return int(anew != text)
    DOCUMENT.write_text(anew, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
