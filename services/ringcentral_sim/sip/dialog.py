"""The requests of a supervise call, byte for byte as RingCentral words them, and the dialog they belong to."""

from __future__ import annotations

from dataclasses import dataclass

from sipmessage import URI, Request

from services.ringcentral_sim.sip.messages import ALLOW, SUPPORTED, with_body
from services.ringcentral_sim.sip.options import SuperviseOffer

USER_AGENT = "RC_SIPWRP_25.111"
SESSION_EXPIRES = "14400;refresher=uac"
MIN_SE = "90"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """Who talks to whom. `remote` gains its tag, and `target` the client's Contact, from the 2xx."""

    transport: str
    sent_by: str
    call_id: str
    local: str
    remote: str
    contact: str
    request_uri: str
    target: str
    invite_branch: str
    invite_sequence: int


def open_dialog(
    offer: SuperviseOffer,
    *,
    transport: str,
    sent_by: tuple[str, int],
    remote: str,
    contact_uri: str,
    call_id: str,
    tag: str,
    branch: str,
    sequence: int,
) -> Dialog:
    """The dialog that an INVITE to `contact_uri` over `transport` would set up."""
    host, port = sent_by
    return Dialog(
        transport=transport,
        sent_by=f"{host}:{port}",
        call_id=call_id,
        local=f"<sip:{offer.caller_number}@{host}>;tag={tag}",
        remote=remote,
        contact=f"<sip:{offer.caller_number}@{host}:{port};transport={transport.lower()}>",
        request_uri=contact_uri,
        target=contact_uri,
        invite_branch=branch,
        invite_sequence=sequence,
    )


def invite(dialog: Dialog, offer: SuperviseOffer, sdp: bytes | None, *, vsa: str) -> Request:
    """The supervise INVITE; `vsa` is the opaque token in Call-Info and P-Acme-VSA, `sdp` None for a late offer."""
    request = _request(
        dialog, "INVITE", dialog.request_uri, dialog.invite_branch, dialog.invite_sequence, dialog.remote
    )
    headers = request.headers
    headers.set("User-Agent", USER_AGENT)
    headers.set("Contact", dialog.contact)
    for name, value in correlation_headers(offer):
        headers.set(name, value)
    headers.set("Alert-Info", "Auto Answer")
    headers.set("Call-Info", f"<{vsa}>;purpose=info;Answer-After=0")
    headers.set("Allow", ALLOW)
    headers.set("Supported", SUPPORTED)
    headers.set("Session-Expires", SESSION_EXPIRES)
    headers.set("Min-SE", MIN_SE)
    headers.set("P-Acme-VSA", f"200:{vsa}")
    with_body(request, sdp or b"", "application/sdp" if sdp is not None else None)
    return request


def correlation_headers(offer: SuperviseOffer) -> tuple[tuple[str, str], ...]:
    """`p-rc-api-ids` names the supervisor's own party, `p-rc-api-monitoring-ids` the monitored one.

    A session-level supervise monitors no single party: its monitoring ids carry the session alone.
    """
    if offer.headers == "omitted":
        return ()
    session = f"session-id={offer.session_id}"
    parts = [session] if offer.monitored_party_id is None else [session, f"party-id={offer.monitored_party_id}"]
    if offer.headers == "reordered":
        parts.reverse()
    return (
        ("p-rc-api-ids", f"party-id={offer.supervisor_party_id};{session}"),
        ("p-rc-api-monitoring-ids", "; ".join(parts)),
    )


def ack_success(dialog: Dialog, branch: str, sdp: bytes | None) -> Request:
    """ACK of a 2xx, with the answer in it when the offer came in the 2xx."""
    request = _request(dialog, "ACK", dialog.target, branch, dialog.invite_sequence, dialog.remote)
    with_body(request, sdp or b"", "application/sdp" if sdp is not None else None)
    return request


def ack_refusal(dialog: Dialog, to: str) -> Request:
    """ACK of a refusal: part of the INVITE's own transaction; `to` as in the response."""
    return _request(dialog, "ACK", dialog.request_uri, dialog.invite_branch, dialog.invite_sequence, to)


def cancel(dialog: Dialog) -> Request:
    """CANCEL of the INVITE."""
    return _request(dialog, "CANCEL", dialog.request_uri, dialog.invite_branch, dialog.invite_sequence, dialog.remote)


def bye(dialog: Dialog, branch: str) -> Request:
    """BYE; the only other request that we send in a dialog, hence the next number."""
    return _request(dialog, "BYE", dialog.target, branch, dialog.invite_sequence + 1, dialog.remote)


def _request(dialog: Dialog, method: str, uri: str, branch: str, sequence: int, to: str) -> Request:
    request = Request(method, URI.parse(uri))
    headers = request.headers
    headers.set("Via", f"SIP/2.0/{dialog.transport} {dialog.sent_by};branch={branch}")
    headers.set("Max-Forwards", "69")
    headers.set("From", dialog.local)
    headers.set("To", to)
    headers.set("Call-ID", dialog.call_id)
    headers.set("CSeq", f"{sequence} {method}")
    with_body(request)
    return request
