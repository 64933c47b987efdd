"""What the commands of `earshot groups` share: reading, showing, carrying out a plan, saying what went wrong."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
import orjson

from services.chassis.errors import SettingError
from services.chassis.ringcentral import RingCentralRefused
from services.chassis.ringcentral.assignment import Changes, Permission, listed
from services.chassis.ringcentral.extensions import EXTENSIONS, Extension, read_extensions
from services.chassis.ringcentral.groups import MOST_PER_PAGE, Group, Member, MonitoringGroups
from services.chassis.ringcentral.patience import Rest
from services.cli.adapters.ringcentral_access import connect, say_refusal
from services.cli.domain.group_asks import Directory, Unclear

dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done, change nothing.")

_json = click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
_per_page = click.option(
    "--per-page",
    type=click.IntRange(1, MOST_PER_PAGE),
    default=MOST_PER_PAGE,
    show_default=True,
    help="Records a page when lists are read.",
)


def command(parent: click.Group, name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a subcommand of a function whose first argument is a Desk; errors become a line and an exit status."""

    def decorate(body: Callable[..., None]) -> click.Command:
        def run(context: click.Context, /, as_json: bool, per_page: int, **asked: Any) -> None:
            try:
                body(Desk(connect(context), as_json=as_json, per_page=per_page), **asked)
            except (Unclear, SettingError) as error:
                click.echo(str(error), err=True)
                sys.exit(2)
            except RingCentralRefused as refusal:
                click.echo(say_refusal(refusal), err=True)
                sys.exit(1)

        functools.update_wrapper(run, body)
        return parent.command(name)(_json(_per_page(click.pass_context(run))))

    return decorate


class Desk:
    """One command's view of the company. Methods raise RingCentralRefused; Unclear for names that fit nothing."""

    def __init__(self, rest: Rest, *, as_json: bool, per_page: int) -> None:
        self.groups = MonitoringGroups(rest, per_page=per_page)
        self.as_json = as_json
        self._rest = rest
        self._per_page = per_page

    @functools.cached_property
    def extensions(self) -> Sequence[Extension]:
        """All extensions, read once."""
        return read_extensions(self._rest, per_page=self._per_page)

    def extension(self, name: str, where: str) -> Extension:
        """By number or id."""
        return Directory(self.extensions).find(name, where)

    def own_extension(self) -> Extension | None:
        """The one whose credentials are used; None when the list does not show it."""
        own_id = str(self._rest.get(f"{EXTENSIONS}/~").get("id", ""))
        return next((extension for extension in self.extensions if extension.extension_id == own_id), None)

    def group(self, named: str) -> Group:
        """By id, else by name."""
        known = self.groups.find()
        by_name = [group for group in known if group.name == named]
        found = [group for group in known if group.group_id == named] or by_name
        if not found:
            raise Unclear(f"no group has the id or name {named}; `earshot groups list` shows them")
        if len(found) > 1:
            ids = " and ".join(group.group_id for group in found)
            raise Unclear(f"several groups are named {named}: name one by its id, {ids}")
        return found[0]

    def group_named(self, name: str) -> Group | None:
        """By name alone."""
        found = [group for group in self.groups.find() if group.name == name]
        if len(found) > 1:
            raise Unclear(f"several groups are named {name}")
        return found[0] if found else None

    def refuse_taken(self, name: str) -> None:
        """A new name must be one that no group has."""
        taken = self.group_named(name)
        if taken is not None:
            raise Unclear(f"choose another name: the group {taken.group_id} has the name {name}")

    def show_groups(self, groups: Sequence[Group]) -> None:
        """The result of `list`."""
        self._result({"groups": [_group(group) for group in groups]})
        for group in groups:
            self._say(f"{group.group_id}  {group.name}{f'  site {group.site_id}' if group.site_id else ''}")

    def show_members(self, group: Group, members: Sequence[Member]) -> None:
        """The result of `members`."""
        shown = [_entry(m.extension_id, m.extension_number, m.permissions) for m in members]
        self._result({"group": _group(group), "members": shown})
        self._say(f"{_titled(group)}: {len(members)} members")
        for member in members:
            self._say(f"  {_line(member.extension_number, member.extension_id, member.permissions)}")

    def show_change(self, action: str, group: Group, *, dry_run: bool, changed: bool = True) -> None:
        """The result of a change to a group itself."""
        self._result({"action": action, "dry_run": dry_run, "changed": changed, "group": _group(group)})
        done = f"would {action}" if dry_run else f"{action}d"
        self._say(f"{done if changed else 'nothing to change:'} {_titled(group)}")

    def carry_out(
        self,
        action: str,
        group: Group,
        changes: Changes,
        members: Iterable[Member],
        *,
        most: int,
        dry_run: bool,
        warnings: Sequence[str] = (),
    ) -> None:
        """Show the plan, then send it in parts of `most` extensions; a group without an id is made first."""
        numbers = {member.extension_id: member.extension_number for member in members}
        numbers |= {extension.extension_id: extension.number for extension in self.extensions}
        create = not group.group_id
        for warning in warnings:
            click.echo(f"note: {warning}", err=True)
        self._say_plan(group, changes, numbers)
        sent = 0
        if not dry_run:
            if create:
                group = self.groups.create(group.name, site_id=group.site_id)
                self._say(f"created {_titled(group)}")
            parts = list(changes.split(most))
            for part in parts:
                sent += self.groups.assign(group.group_id, [part])
                if len(parts) > 1:
                    click.echo(f"part {sent} of {len(parts)} assigned", err=True)
        counts = f"{len(changes.added)} added, {len(changes.updated)} updated, {len(changes.removed)} removed"
        self._say(f"{'would be ' if dry_run else ''}{counts}" if len(changes) else "nothing to change")
        self._result(
            {
                "action": action,
                "dry_run": dry_run,
                "changed": create or len(changes) > 0,
                "group": _group(group) | {"created": create},
                "added": [_entry(a.extension_id, numbers[a.extension_id], a.permissions) for a in changes.added],
                "updated": [_entry(a.extension_id, numbers[a.extension_id], a.permissions) for a in changes.updated],
                "removed": [_entry(extension_id, numbers[extension_id]) for extension_id in changes.removed],
                "requests": sent,
                "warnings": list(warnings),
            }
        )

    def _say_plan(self, group: Group, changes: Changes, numbers: dict[str, str]) -> None:
        self._say(_titled(group))
        for sign, assignments in (("+", changes.added), ("~", changes.updated)):
            for a in assignments:
                self._say(f"  {sign} {_line(numbers[a.extension_id], a.extension_id, a.permissions)}")
        for extension_id in changes.removed:
            self._say(f"  - {_line(numbers[extension_id], extension_id)}")

    def _say(self, line: str) -> None:
        if not self.as_json:
            click.echo(line)

    def _result(self, result: dict[str, Any]) -> None:
        if self.as_json:
            click.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())


def _titled(group: Group) -> str:
    return f"group {group.name} ({group.group_id or 'new'})"


def _group(group: Group) -> dict[str, Any]:
    return {"id": group.group_id, "name": group.name, "site_id": group.site_id}


def _entry(extension_id: str, number: str, permissions: frozenset[Permission] = frozenset()) -> dict[str, Any]:
    shown: dict[str, Any] = {"extension_id": extension_id, "extension_number": number}
    return shown | ({"permissions": listed(permissions)} if permissions else {})


def _line(number: str, extension_id: str, permissions: frozenset[Permission] = frozenset()) -> str:
    held = " ".join(listed(permissions))
    return f"{number or '-':<8} {extension_id:<14} {held}".rstrip()
