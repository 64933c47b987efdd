"""More people for the simulated company: supervisor identities, and the agents and groups of a whole floor.

Ids follow from the numbers alone, so that a repeated request adds nobody twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.ringcentral_sim.domain.company import ALL_PERMISSIONS, Company, Device, Extension, Group

FIRST_SUPERVISOR = 700_201_000
FIRST_AGENT = 700_202_000
FIRST_GROUP = 900_200
FIRST_SUPERVISOR_DEVICE = 801_000_010_000
FIRST_AGENT_DEVICE = 801_000_020_000
MONITORING, MONITORED = ("Monitoring",), ("Monitored",)


def supervisor_id(number: int) -> str:
    """Extension of supervisor `number`, counted from 1; it logs in as sim-jwt-supervisor-<number>."""
    return str(FIRST_SUPERVISOR + number)


def add_supervisors(company: Company, count: int) -> list[str]:
    """Supervisors 1 to `count` with a JWT and an OtherPhone each, in no group yet; their extension ids."""
    for number in range(1, count + 1):
        extension_id, device_id = supervisor_id(number), str(FIRST_SUPERVISOR_DEVICE + number)
        if extension_id in company.extensions:
            continue
        company.extensions[extension_id] = Extension(
            id=extension_id,
            number=str(3000 + number),
            name=f"Supervisor {number:03d}",
            direct_number=f"+1555012{number:04d}",
            admin=True,
        )
        company.devices[device_id] = Device(
            id=device_id,
            type="OtherPhone",
            name=f"Supervision phone {number:03d}",
            extension_id=extension_id,
            user_name=f"1555012{number:04d}",
            password=f"sim-sip-secret-supervisor-{number}",
        )
        company.jwts[f"sim-jwt-supervisor-{number}"] = extension_id
    return [supervisor_id(number) for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Agents in groups of about 25; the last `outside` of them are in no group and must never be supervised.

    Every group has `per_group` supervisors and every supervisor watches at least one group.
    """

    agents: int = 300
    supervisors: int = 24
    groups: int = 12
    outside: int = 15
    per_group: int = 2


def add_floor(company: Company, floor: Floor) -> list[str]:
    """Hire the floor; the ids of its agents in order. Groups with these ids are made anew."""
    watchers = add_supervisors(company, floor.supervisors)
    ids = [_hire(company, number) for number in range(1, floor.agents + 1)]
    inside = ids[: max(0, len(ids) - floor.outside)]
    seats = list(watchers) * (1 + floor.groups * floor.per_group // max(1, len(watchers)))
    duties = [seats[place * floor.per_group : (place + 1) * floor.per_group] for place in range(floor.groups)]
    for spare in range(floor.groups * floor.per_group, len(watchers)):
        duties[spare % floor.groups].append(watchers[spare])
    for place in range(floor.groups):
        members = dict.fromkeys(inside[place :: floor.groups], MONITORED)
        duty = dict.fromkeys(duties[place], MONITORING)
        group_id = str(FIRST_GROUP + place)
        company.groups[group_id] = Group(group_id, f"Floor {place + 1:02d}", members={**duty, **members})
    return ids


def join(company: Company, group_id: str, extension_ids: list[str], permissions: tuple[str, ...]) -> None:
    """Add members to a group."""
    group = company.groups[group_id]
    company.groups[group_id] = replace(group, members={**group.members, **dict.fromkeys(extension_ids, permissions)})


def _hire(company: Company, number: int) -> str:
    extension_id, device_id = str(FIRST_AGENT + number), str(FIRST_AGENT_DEVICE + number)
    if extension_id not in company.extensions:
        company.extensions[extension_id] = Extension(
            id=extension_id,
            number=str(4000 + number),
            name=f"Floor Agent {number:03d}",
            direct_number=f"+1555013{number:04d}",
            permissions=ALL_PERMISSIONS - {"Groups"},
        )
        company.devices[device_id] = Device(
            id=device_id, type="SoftPhone", name=f"Floor Agent {number:03d} app", extension_id=extension_id
        )
    return extension_id
