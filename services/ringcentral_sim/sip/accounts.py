"""The SIP credentials of a supervisor's device, as `sip-info` hands them out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAccount:
    """One device that may register: it proves itself as `auth_id`, and is called as `user_name`@`domain`."""

    device_id: str
    auth_id: str
    user_name: str
    password: str
    domain: str
