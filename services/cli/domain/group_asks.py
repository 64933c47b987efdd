"""What a person asks of a group's members: by options, CSV or JSON, by extension numbers or ids. Pure.

Nothing is guessed: what cannot be read or meant gives a line that says where and why, and then nothing is done.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from services.chassis.ringcentral.assignment import MEMBER_TYPES, PERMISSIONS, Permission
from services.chassis.ringcentral.extensions import Extension
from services.chassis.ringcentral.groups import Member

Action = Literal["add", "update", "remove"]
ACTIONS: tuple[Action, ...] = get_args(Action)
_SEPARATORS = re.compile(r"[,;|+\s]+")


class Unclear(Exception):
    """What was asked cannot be meant; one line a problem."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One extension and what to do with it; `where` begins the line of a complaint.

    add: hold these too. update: a member, hold exactly these (none: leave). remove: leave, or give up just these.
    """

    action: Action
    extension: str
    permissions: frozenset[Permission]
    where: str


def ask_of(action: str, extension: str, permissions: str | Sequence[object], where: str) -> Ask:
    """The ask in our words, upper and lower case alike; raises Unclear."""
    known = {permission.lower(): permission for permission in PERMISSIONS}
    told = _SEPARATORS.split(permissions.strip()) if isinstance(permissions, str) else [str(p) for p in permissions]
    words = [word for word in told if word]
    wrong = next((word for word in words if word.lower() not in known), None)
    if wrong is not None:
        raise Unclear(f"{where}: {wrong} is no permission; there are {' and '.join(PERMISSIONS)}")
    if action.lower() not in ACTIONS:
        raise Unclear(f"{where}: {action} is no action; there are {', '.join(ACTIONS)}")
    if not extension.strip():
        raise Unclear(f"{where}: an extension's number or id is missing")
    if action.lower() == "add" and not words:
        raise Unclear(f"{where}: say what to allow: Monitoring, Monitored or both")
    return Ask(
        action=next(a for a in ACTIONS if a == action.lower()),
        extension=extension.strip(),
        permissions=frozenset(known[word.lower()] for word in words),
        where=where,
    )


def option_ask(action: Action, text: str) -> Ask:
    """`108:Monitoring,Monitored` as the option of that name gives it; raises Unclear."""
    extension, _, permissions = text.partition(":")
    return ask_of(action, extension, permissions, f"--{action} {text}")


def file_asks(name: str, content: str) -> list[Ask]:
    """The asks of a file: JSON when its name ends so, else CSV; raises Unclear with a line for each wrong entry."""
    rows = _json_rows(name, content) if name.lower().endswith(".json") else _csv_rows(name, content)
    asks: list[Ask] = []
    problems: list[str] = []
    for where, extension, permissions, action in rows:
        try:
            asks.append(ask_of(action, extension, permissions, where))
        except Unclear as unclear:
            problems += unclear.problems
    if problems:
        raise Unclear(*problems)
    return asks


Row = tuple[str, str, "str | Sequence[object]", str]


def _csv_rows(name: str, content: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(content.removeprefix("\ufeff")), skipinitialspace=True)
    if "extension" not in (reader.fieldnames or ()):
        raise Unclear(f"{name}:1: the first line names the columns: extension,permissions,action")
    for row in reader:
        where = f"{name}:{reader.line_num}"
        yield where, row["extension"] or "", row.get("permissions") or "", (row.get("action") or "add").strip()


def _json_rows(name: str, content: str) -> Iterator[Row]:
    try:
        entries = json.loads(content)
    except ValueError as error:
        raise Unclear(f"{name}: no JSON: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unclear(f'{name}: wanted is a list such as [{{"extension": "108", "permissions": ["Monitored"]}}]')
    for position, entry in enumerate(entries, start=1):
        permissions: Any = entry.get("permissions") or ""
        told = permissions if isinstance(permissions, str | list) else str(permissions)
        yield f"{name}: entry {position}", str(entry.get("extension") or ""), told, str(entry.get("action") or "add")


class Directory:
    """Finds extensions by number or id."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        self._by_name: dict[str, list[Extension]] = {}
        for extension in extensions:
            for name in {extension.extension_id, extension.number} - {""}:
                self._by_name.setdefault(name, []).append(extension)

    def find(self, name: str, where: str) -> Extension:
        """The one extension of that number or id; raises Unclear."""
        found = self._by_name.get(name, [])
        if not found:
            raise Unclear(f"{where}: no extension has the number or id {name}")
        if len(found) > 1:
            ids = " and ".join(sorted(extension.extension_id for extension in found))
            raise Unclear(f"{where}: {name} may mean any of the extensions with the ids {ids}")
        return found[0]


def may_be_member(extension: Extension, where: str) -> None:
    """Raises Unclear for an extension of a type that RingCentral takes into no group."""
    if extension.type not in MEMBER_TYPES:
        raise Unclear(
            f"{where}: an extension of type {extension.type or 'unknown'} cannot be a member;"
            f" of these can: {', '.join(sorted(MEMBER_TYPES))}"
        )


def wanted_of(
    asks: Iterable[Ask], extensions: Iterable[Extension], members: Iterable[Member]
) -> dict[str, frozenset[Permission]]:
    """The permissions wanted for each extension asked for; raises Unclear with a line for each wrong ask."""
    listed = {extension.extension_id: extension for extension in extensions}
    current = {member.extension_id: member for member in members}
    gone = [  # members whose extension is no longer listed can still be removed
        Extension(extension_id=member.extension_id, number=member.extension_number, type="", status="")
        for member in current.values()
        if member.extension_id not in listed
    ]
    directory = Directory([*listed.values(), *gone])
    wanted: dict[str, frozenset[Permission]] = {}
    problems: list[str] = []
    for ask in asks:
        try:
            extension = directory.find(ask.extension, ask.where)
            if extension.extension_id in wanted:
                raise Unclear(f"{ask.where}: {ask.extension} is named twice; say all of it at once")
            wanted[extension.extension_id] = _permissions(ask, extension, current)
        except Unclear as unclear:
            problems += unclear.problems
    if problems:
        raise Unclear(*problems)
    return wanted


def _permissions(ask: Ask, extension: Extension, current: Mapping[str, Member]) -> frozenset[Permission]:
    member = current.get(extension.extension_id)
    held: frozenset[Permission] = member.permissions if member else frozenset()
    if ask.action == "remove":
        return held - ask.permissions if ask.permissions else frozenset()
    if ask.action == "update" and member is None:
        raise Unclear(f"{ask.where}: {ask.extension} is no member; add takes it in")
    if ask.permissions:
        may_be_member(extension, ask.where)
    return held | ask.permissions if ask.action == "add" else ask.permissions
