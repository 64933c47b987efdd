"""`earshot token`: a development token for the assist gateway."""

from __future__ import annotations

import os
import sys
import time

import click
import jwt

LEAST_KEY_BYTES = 32


def make_token(key: str, *, subject: str, role: str, extension_id: str = "", hours: float = 12.0) -> str:
    """An HS256 token that the assist gateway accepts when its ASSIST_GATEWAY_JWT_KEY is `key`."""
    claims = {"sub": subject, "role": role, "extension_id": extension_id, "exp": int(time.time() + hours * 3600)}
    return jwt.encode(claims, key, algorithm="HS256")


@click.command()
@click.option("--role", type=click.Choice(["admin", "supervisor", "agent"]), default="admin", show_default=True)
@click.option(
    "--extension", "extension_id", default="", help="The extension whose calls may be seen (agent, supervisor)."
)
@click.option("--hours", default=12.0, show_default=True, help="How long it lasts.")
def token(role: str, extension_id: str, hours: float) -> None:
    """Print a token for the page and the WebSocket, signed with ASSIST_GATEWAY_JWT_KEY.

    For development: in production an identity provider issues tokens.
    """
    key = os.environ.get("ASSIST_GATEWAY_JWT_KEY", "")
    if len(key.encode()) < LEAST_KEY_BYTES:
        click.echo(f"ASSIST_GATEWAY_JWT_KEY: set the gateway's key, at least {LEAST_KEY_BYTES} bytes", err=True)
        sys.exit(2)
    if role != "admin" and not extension_id:
        click.echo("--extension: an agent's or supervisor's token needs one", err=True)
        sys.exit(2)
    subject = extension_id or "admin"
    click.echo(make_token(key, subject=subject, role=role, extension_id=extension_id, hours=hours))
