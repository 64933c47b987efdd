"""Who supervises and who is supervised, by the company's own extension records. Pure.

The rule is that of RingCentral's example for monitoring groups: of the enabled extensions, admins hold Monitoring and
all others Monitored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from services.chassis.ringcentral.assignment import MEMBER_TYPES, Membership, Permission
from services.chassis.ringcentral.extensions import Extension
from services.cli.domain.group_asks import Directory, Unclear, may_be_member

DEFAULT_TYPES = frozenset({"User"})
_TYPES = {name.lower(): name for name in MEMBER_TYPES}


def roles_of(
    extensions: Sequence[Extension],
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    supervisors: Iterable[str] = (),
) -> dict[str, Permission]:
    """Extension id to its one permission.

    `include` and `exclude` hold types, extension numbers and ids; the types included stand in place of User alone.
    `supervisors` (numbers, ids) supervise whether admin or not. What is excluded is out, whatever else is said.
    Raises Unclear.
    """
    directory = Directory(extensions)
    types, chosen = _sorted_out(directory, include, "--include")
    no_types, left_out = _sorted_out(directory, exclude, "--exclude")
    named = {name: directory.find(name, f"--supervisor {name}") for name in supervisors}
    for option, asked in (("--include", chosen), ("--supervisor", named)):
        for name, extension in asked.items():
            may_be_member(extension, f"{option} {name}")
    by_type = (types or DEFAULT_TYPES) - no_types
    in_by_name = {extension.extension_id for extension in (*chosen.values(), *named.values())}
    supervising = {extension.extension_id for extension in named.values()}
    out = {extension.extension_id for extension in left_out.values()}
    return {
        extension.extension_id: "Monitoring"
        if extension.admin or extension.extension_id in supervising
        else "Monitored"
        for extension in extensions
        if extension.extension_id not in out
        and (extension.extension_id in in_by_name or (extension.type in by_type and extension.status == "Enabled"))
    }


def _sorted_out(directory: Directory, names: Iterable[str], option: str) -> tuple[frozenset[str], dict[str, Extension]]:
    types, extensions = set(), {}
    for name in names:
        if name.lower() in _TYPES:
            types.add(_TYPES[name.lower()])
        elif name.isdigit():
            extensions[name] = directory.find(name, f"{option} {name}")
        else:
            raise Unclear(f"{option} {name}: neither an extension nor one of {', '.join(sorted(MEMBER_TYPES))}")
    return frozenset(types), extensions


def wanted_by(roles: Mapping[str, Permission], current: Membership, *, exact: bool) -> dict[str, frozenset[Permission]]:
    """The roles added to what members hold; `exact` takes away what the roles do not give."""
    if exact:
        return dict.fromkeys(current, frozenset[Permission]()) | {key: frozenset({role}) for key, role in roles.items()}
    return {key: current.get(key, frozenset[Permission]()) | {role} for key, role in roles.items()}


def warnings_about(
    after: Membership, roles: Mapping[str, Permission], own: Extension | None, *, exact: bool
) -> list[str]:
    """What would keep the group from working, or was left as it is; `own` is the extension of the credentials."""
    found = []
    if not any("Monitoring" in held for held in after.values()):
        found.append("nobody in the group would supervise: RingCentral tells of no admin; name one by --supervisor")
    if not any("Monitored" in held for held in after.values()):
        found.append("nobody in the group would be supervised")
    if own is not None and "Monitoring" not in after.get(own.extension_id, frozenset()):
        named = own.number or own.extension_id
        found.append(f"extension {named}, whose credentials these are, would not supervise: --supervisor {named}")
    if not exact:
        more = sum(1 for key, held in after.items() if held - {roles.get(key)})
        if more:
            found.append(f"{more} members hold more than the rule gives and keep it; --exact takes it away")
    return found
