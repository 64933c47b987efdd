"""`earshot groups`: call monitoring groups, which say who may supervise whom."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from services.chassis.ringcentral.assignment import applied, plan_changes
from services.chassis.ringcentral.groups import Group
from services.cli.commands.groups_desk import Desk, command, dry_run
from services.cli.domain.group_asks import Action, Ask, Unclear, file_asks, option_ask, wanted_of
from services.cli.domain.group_roles import roles_of, wanted_by, warnings_about

batch = click.option(
    "--batch", type=click.IntRange(1), default=100, show_default=True, help="Most extensions in one bulk assignment."
)


@click.group()
def groups() -> None:
    """Monitoring groups: who may supervise whom.

    A member holds Monitoring (may supervise), Monitored (may be supervised) or both. GROUP is a group's id or name,
    EXT an extension's number or id. Changes need the app permission EditExtensions and the user permission Groups.

    \b
      earshot groups bootstrap --name "Floor" --dry-run
      earshot groups assign Floor --add 108:Monitored --add 101:Monitoring,Monitored --remove 117
      earshot groups members Floor --json

    Credentials are RINGCENTRAL_SERVER_URL, RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET and RINGCENTRAL_JWT.
    Exit status: 0 done or nothing to do, 1 RingCentral refused, 2 what was asked cannot be meant.
    """


@command(groups, "list")
@click.option("--site", "site_id", default="", help="Only groups of the site with this id.")
@click.option("--member", default="", metavar="EXT", help="Only groups with this member.")
def list_groups(desk: Desk, site_id: str, member: str) -> None:
    """List the groups."""
    member_id = desk.extension(member, f"--member {member}").extension_id if member else ""
    desk.show_groups(desk.groups.find(member_id=member_id, site_id=site_id))


@command(groups, "members")
@click.argument("group")
def list_members(desk: Desk, group: str) -> None:
    """List a group's members and what they hold."""
    found = desk.group(group)
    desk.show_members(found, desk.groups.members(found.group_id))


@command(groups, "create")
@click.argument("name")
@click.option("--site", "site_id", default="", help="Id of the site that the group belongs to.")
@dry_run
def create(desk: Desk, name: str, site_id: str, dry_run: bool) -> None:
    """Create a group without members."""
    desk.refuse_taken(name)
    made = Group(group_id="", name=name, site_id=site_id) if dry_run else desk.groups.create(name, site_id=site_id)
    desk.show_change("create", made, dry_run=dry_run)


@command(groups, "rename")
@click.argument("group")
@click.argument("name")
@dry_run
def rename(desk: Desk, group: str, name: str, dry_run: bool) -> None:
    """Give a group another name."""
    found = desk.group(group)
    changed = found.name != name
    if changed:
        desk.refuse_taken(name)
    if changed and not dry_run:
        found = desk.groups.rename(found, name)
    shown = Group(group_id=found.group_id, name=name, site_id=found.site_id)
    desk.show_change("rename", shown, dry_run=dry_run, changed=changed)


@command(groups, "delete")
@click.argument("group")
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run
def delete(desk: Desk, group: str, yes: bool, dry_run: bool) -> None:
    """Delete a group: its supervisors may no longer supervise through it."""
    found = desk.group(group)
    if not dry_run and not yes:
        if desk.as_json or not sys.stdin.isatty():
            raise Unclear(f"--yes is needed to delete the group {found.name} where nobody can be asked")
        click.confirm(f"Delete the group {found.name} ({found.group_id})?", abort=True, err=True)
    if not dry_run:
        desk.groups.delete(found.group_id)
    desk.show_change("delete", found, dry_run=dry_run)


@command(groups, "assign")
@click.argument("group")
@click.option("--add", "adds", multiple=True, metavar="EXT:PERMISSIONS", help="Take in, or allow a member this too.")
@click.option("--update", "updates", multiple=True, metavar="EXT:PERMISSIONS", help="A member holds exactly this.")
@click.option("--remove", "removes", multiple=True, metavar="EXT[:PERMISSIONS]", help="Take out, or take just this.")
@click.option(
    "--from-file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with the columns extension,permissions,action (several permissions as A+B; action add, update or remove,"
    " add when absent), or .json: a list of objects with these keys.",
)
@batch
@dry_run
def assign(
    desk: Desk,
    group: str,
    adds: tuple[str, ...],
    updates: tuple[str, ...],
    removes: tuple[str, ...],
    files: tuple[Path, ...],
    batch: int,
    dry_run: bool,
) -> None:
    """Change what members hold, in bulk.

    Only the difference is sent; when there is none, nothing is. Bulk assignments are Heavy requests, ten a minute:
    the command waits when RingCentral says so.
    """
    asks = _asks(adds, updates, removes, files)
    found = desk.group(group)
    members = desk.groups.members(found.group_id)
    wanted = wanted_of(asks, desk.extensions, members)
    changes = plan_changes({member.extension_id: member.permissions for member in members}, wanted)
    desk.carry_out("assign", found, changes, members, most=batch, dry_run=dry_run)


def _asks(
    adds: tuple[str, ...], updates: tuple[str, ...], removes: tuple[str, ...], files: tuple[Path, ...]
) -> list[Ask]:
    """All that was asked for; raises Unclear with every problem at once."""
    options: tuple[tuple[Action, tuple[str, ...]], ...] = (("add", adds), ("update", updates), ("remove", removes))
    asks: list[Ask] = []
    problems: list[str] = []
    for action, texts in options:
        for text in texts:
            try:
                asks.append(option_ask(action, text))
            except Unclear as unclear:
                problems += unclear.problems
    for file in files:
        try:
            asks += file_asks(file.name, file.read_text("utf-8", "replace"))
        except Unclear as unclear:
            problems += unclear.problems
    if problems:
        raise Unclear(*problems)
    if not asks:
        raise Unclear("say what to change: --add, --update, --remove or --from-file")
    return asks


@command(groups, "bootstrap")
@click.option("--name", required=True, help="The group's name; it is made when there is none of that name.")
@click.option("--site", "site_id", default="", help="Id of the site for a new group.")
@click.option("--include", multiple=True, metavar="TYPE|EXT", help="Types in place of User, or further extensions.")
@click.option("--exclude", multiple=True, metavar="TYPE|EXT", help="Types or extensions to leave out.")
@click.option("--supervisor", "supervisors", multiple=True, metavar="EXT", help="Supervises though no admin.")
@click.option("--exact", is_flag=True, help="Also take away what the rule does not give.")
@batch
@dry_run
def bootstrap(
    desk: Desk,
    name: str,
    site_id: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    supervisors: tuple[str, ...],
    exact: bool,
    batch: int,
    dry_run: bool,
) -> None:
    """Set a group up from the company's extensions: admins supervise, everyone else is supervised.

    Takes the enabled extensions of type User (types: User, DigitalUser, VirtualUser, FaxUser, Limited). Shows the plan,
    then carries it out; run again, it takes in who is new and changes nothing else.
    """
    extensions = desk.extensions
    roles = roles_of(extensions, include=include, exclude=exclude, supervisors=supervisors)
    found = desk.group_named(name) or Group(group_id="", name=name, site_id=site_id)
    members = desk.groups.members(found.group_id) if found.group_id else []
    current = {member.extension_id: member.permissions for member in members}
    changes = plan_changes(current, wanted_by(roles, current, exact=exact))
    warnings = warnings_about(applied(changes, current), roles, desk.own_extension(), exact=exact)
    desk.carry_out("bootstrap", found, changes, members, most=batch, dry_run=dry_run, warnings=warnings)
