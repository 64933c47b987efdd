"""`earshot doctor` as a process: against a company where all is well, and where much is not."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import pytest
from websockets.asyncio.client import connect

from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.contracts.topics import ALL
from tests.support.simulator import logged_in_simulator

pytestmark = pytest.mark.timeout(180)
GROUPS = "/restapi/v1.0/account/~/call-monitoring-groups"
COMPANY = {"PORT": "0", "SIP_PORT": "0", "SIP_TLS_PORT": "0", "MEDIA": "paper", "RATE_AUTH": "50"}


async def examine(url: str, bootstrap: str, prefix: str, *options: str, **settings: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and the checks by name."""
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "EARSHOT_TOPIC_PREFIX": prefix, "RINGCENTRAL_SERVER_URL": url,
        "RINGCENTRAL_CLIENT_ID": "sim-client-id", "RINGCENTRAL_CLIENT_SECRET": "sim-client-secret",
        "RINGCENTRAL_JWT": "sim-jwt-supervisor",
    } | settings  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", "doctor", "--json", *options, env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(120):
        output, errors = await process.communicate()
    for secret in ("sim-client-secret", "sim-sip-secret", "access_token", "WS-", "AT-"):
        assert secret not in output.decode() + errors.decode()
    found = json.loads(output)
    checks = {check["name"]: check for check in found["checks"]}
    assert found["ok"] is all(check["ok"] for check in checks.values())
    assert all(bool(check["remedy"]) is not check["ok"] for check in checks.values())
    assert process.returncode is not None
    return process.returncode, checks


def failed(checks: dict[str, Any]) -> set[str]:
    return {name for name, check in checks.items() if not check["ok"]}


async def test_a_company_where_all_is_well_and_what_is_missing_elsewhere(kafka_bootstrap: str, topic_prefix: str):
    settings = KafkaSettings.model_validate(
        {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "EARSHOT_TOPIC_PREFIX": topic_prefix}
    )
    async with logged_in_simulator(**COMPANY) as company:
        url = str(company.base_url).rstrip("/")
        code, checks = await examine(url, kafka_bootstrap, topic_prefix)
        assert (code, failed(checks)) == (1, {"topics", "device Online of 700200300"})

        ensure_topics(settings, topics=ALL, partitions=1, replication=1)
        async with connect(f"ws{url.removeprefix('http')}/sim/media") as gateway:
            await gateway.send(json.dumps({"type": "register", "devices": ["801000000001", "801000000002"]}))
            await gateway.recv()
            demand = ("--calls-per-minute", "10", "--call-minutes", "0.05")
            code, checks = await examine(url, kafka_bootstrap, topic_prefix, *demand)
            assert (code, failed(checks)) == (0, set())
            assert checks["detection by WebSocket"]["found"] == "127.0.0.1 says ConnectionDetails"
            code, checks = await examine(
                url, kafka_bootstrap, topic_prefix, "--calls-per-minute", "100", RINGCENTRAL_JWTS="sim-jwt-lead,unknown"
            )
            assert code == 1
            assert failed(checks) == {
                "credentials of supervisor 2", "capacity of requests", "capacity of devices",
                "device Online of 700200310",
            }  # fmt: skip


async def test_permissions_groups_and_a_webhook_that_does_not_answer(kafka_bootstrap: str, topic_prefix: str):
    async with logged_in_simulator(**COMPANY, APP_PERMISSIONS="ReadAccounts EditExtensions") as company:
        group = (await company.get(GROUPS)).json()["records"][0]["id"]
        change = {"removedExtensions": [{"id": "700200300"}]}
        (await company.post(f"{GROUPS}/{group}/bulk-assign", json=change)).raise_for_status()
        hook = {
            "EVENT_INGESTOR_MODE": "webhook", "EVENT_INGESTOR_WEBHOOK_URL": "http://127.0.0.1:9/hooks",
            "EVENT_INGESTOR_WEBHOOK_VERIFICATION_TOKEN": "a-verification-token",
        }  # fmt: skip
        code, checks = await examine(str(company.base_url).rstrip("/"), kafka_bootstrap, topic_prefix, **hook)
    assert code == 1
    assert failed(checks) == {
        "topics", "app permissions", "device Online of 700200300", "supervisors' permission",
        "agents with a supervisor", "detection by webhook", "webhook subscription",
    }  # fmt: skip
    assert "CallControl, ReadCallLog, SubscriptionWebhook" in checks["app permissions"]["remedy"]
    assert "EVENT_INGESTOR_WEBHOOK_URL" in checks["detection by webhook"]["remedy"]
