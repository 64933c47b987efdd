"""The SIP side of a simulator that runs without one: no device is ever registered."""

from __future__ import annotations

from services.ringcentral_sim.domain.ports import InviteRefused, SipAddresses, SuperviseLeg, SuperviseOffer


class NoSip:
    """Implements `SipSide`; every supervision is refused because the device is Offline."""

    async def start(self) -> SipAddresses:
        """Bind nothing."""
        return SipAddresses()

    async def stop(self) -> None:
        """Nothing to stop."""

    def is_registered(self, device_id: str) -> bool:
        """Never."""
        return False

    async def invite(self, offer: SuperviseOffer) -> SuperviseLeg:
        """480: nobody is there."""
        raise InviteRefused(480, "Temporarily Unavailable")
