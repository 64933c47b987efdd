"""The simulated company: account, extensions, devices and the apps and users that may log in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ACCOUNT_ID = "700200001"
SUPERVISOR_ID = "700200300"
SUPERVISOR_DEVICE_ID = "801000000001"
DESK_ID = "900100"
APP_PERMISSIONS = frozenset(
    {
        "CallControl",
        "EditExtensions",
        "ReadAccounts",
        "ReadCallLog",
        "ReadPresence",
        "SubscriptionWebhook",
        "VoipCalling",
        "WebSocketsSubscription",
    }
)
"""What an app may be allowed; everything else that a call needs is a permission of its user."""
ALL_PERMISSIONS = APP_PERMISSIONS | {"ReadCompanyDevices", "ReadCompanyCallLog", "Groups"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A phone of an extension; `sip` fields are set for those that may register."""

    id: str
    type: str
    name: str
    extension_id: str
    user_name: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A user, IVR menu or other numbered thing of the account."""

    id: str
    number: str
    name: str
    type: str = "User"
    status: str = "Enabled"
    direct_number: str = ""
    admin: bool = False
    permissions: frozenset[str] = ALL_PERMISSIONS


@dataclass(frozen=True, slots=True)
class Group:
    """A call-monitoring group; member extension id -> permissions in RingCentral's words."""

    id: str
    name: str
    site_id: str = "main-site"
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Company:
    """The account as it stands; groups change over REST, and a floor's day hires more people."""

    account_id: str
    sip_domain: str
    main_number: str
    extensions: dict[str, Extension]
    devices: dict[str, Device]
    groups: dict[str, Group]
    jwts: dict[str, str]

    def devices_of(self, extension_id: str) -> list[Device]:
        """Devices in id order."""
        return [d for d in self.devices.values() if d.extension_id == extension_id]

    def agents(self) -> list[Extension]:
        """Extensions that some group lets be monitored, in id order."""
        return [
            e
            for e in self.extensions.values()
            if any("Monitored" in g.members.get(e.id, ()) for g in self.groups.values())
        ]

    def may_supervise(self, supervisor_id: str, agent_id: str) -> bool:
        """One group holds the supervisor with Monitoring and the agent with Monitored."""
        return any(
            "Monitoring" in g.members.get(supervisor_id, ()) and "Monitored" in g.members.get(agent_id, ())
            for g in self.groups.values()
        )


def default_company(*, sip_domain: str, supervisor_jwt: str, more_agents: int = 0) -> Company:
    """Two supervisors, five agents (Dee is in no group) and the extensions of other types that a company has.

    The supervisors are admins; the others may not change groups. `more_agents` adds numbered agents to Desk A.
    """
    people = [
        Extension(id=SUPERVISOR_ID, number="101", name="Assist Bot", direct_number="+15550100101", admin=True),
        Extension(id="700200310", number="102", name="Floor Lead", direct_number="+15550100102", admin=True),
    ]
    names = ["Agent Ann", "Agent Ben", "Agent Cleo", "Agent Dan", "Agent Dee"]
    names += [f"Agent {i:03d}" for i in range(6, 6 + more_agents)]
    staff = [
        Extension(
            id=str(700200301 + i + (100 if i >= 5 else 0)),
            number=str(108 + i),
            name=name,
            direct_number=f"+1555010{2000 + i}",
            permissions=ALL_PERMISSIONS - {"Groups"},
        )
        for i, name in enumerate(names)
    ]
    menu = Extension(id="700200390", number="900", name="Main Menu", type="IvrMenu", direct_number="+15550100999")
    others = [
        Extension(id="700200391", number="901", name="Lobby Phone", type="Limited"),
        Extension(id="700200392", number="902", name="Fax Desk", type="FaxUser"),
        Extension(id="700200393", number="903", name="Support Queue", type="Department"),
    ]
    extensions = {e.id: e for e in [*people, *staff, menu, *others]}
    devices = {
        SUPERVISOR_DEVICE_ID: Device(
            id=SUPERVISOR_DEVICE_ID,
            type="OtherPhone",
            name="Supervision phone",
            extension_id=SUPERVISOR_ID,
            user_name="15550100101",
            password="sim-sip-secret-1",
        ),
        "801000000002": Device(
            id="801000000002",
            type="OtherPhone",
            name="Second supervision phone",
            extension_id=SUPERVISOR_ID,
            user_name="15550100103",
            password="sim-sip-secret-2",
        ),
        "801000000003": Device(
            id="801000000003",
            type="OtherPhone",
            name="Floor phone",
            extension_id="700200310",
            user_name="15550100102",
            password="sim-sip-secret-3",
        ),
    }
    for i, agent in enumerate(staff):
        device_id = str(801000000771 + i)
        devices[device_id] = Device(id=device_id, type="SoftPhone", name=f"{agent.name} app", extension_id=agent.id)
    monitored = {e.id: ("Monitored",) for e in staff if e.name != "Agent Dee"}
    watchers = {e.id: ("Monitoring",) for e in people}
    groups = {DESK_ID: Group(DESK_ID, "Desk A", members={**watchers, **monitored})}
    jwts = {supervisor_jwt: SUPERVISOR_ID, "sim-jwt-lead": "700200310", "sim-jwt-agent": staff[0].id}
    return Company(ACCOUNT_ID, sip_domain, "+15550100999", extensions, devices, groups, jwts)
