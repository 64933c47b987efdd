"""A running simulator and a client that is logged in to it, for integration tests."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@asynccontextmanager
async def logged_in_simulator(**settings: str) -> AsyncIterator[httpx.AsyncClient]:
    """A simulator with these settings (without their prefix), stopped by SIGTERM with exit status 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ringcentral_sim",
        env={**os.environ, **{f"RINGCENTRAL_SIM_{k}": v for k, v in settings.items()}},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        ready = json.loads(await process.stdout.readline())
    client = httpx.AsyncClient(base_url=ready["http"], trust_env=False, timeout=30)
    try:
        reply = await client.post(
            "/restapi/oauth/token",
            data={"grant_type": JWT_GRANT, "assertion": "sim-jwt-supervisor"},
            auth=("sim-client-id", "sim-client-secret"),
        )
        client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        yield client
    finally:
        await client.aclose()
        process.terminate()
        async with asyncio.timeout(30):
            code = await process.wait()
    assert code == 0
