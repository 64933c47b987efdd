from __future__ import annotations

from pathlib import Path

import pytest

from services.chassis.errors import SettingError
from services.chassis.settings import KafkaSettings, RingCentralSettings, ServiceSettings, describe, load


class Both(ServiceSettings, RingCentralSettings):
    pass


RINGCENTRAL = {"RINGCENTRAL_CLIENT_ID": "i", "RINGCENTRAL_CLIENT_SECRET": "hush", "RINGCENTRAL_JWT": "j"}


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingError) as caught:
        load(Both, {k: v for k, v in RINGCENTRAL.items() if k != "RINGCENTRAL_JWT"})
    assert str(caught.value) == "RINGCENTRAL_JWT: is required and not set"


@pytest.mark.parametrize(
    ("name", "value"), [("HEALTH_PORT", "http"), ("KAFKA_CLIENT_OPTIONS", "[1]"), ("DEAD_LETTER_LIMIT", "0")]
)
def test_a_wrong_setting_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        load(Both, RINGCENTRAL | {name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    settings = load(Both, RINGCENTRAL | {"KAFKA_SASL_PASSWORD": "hush"})
    assert "hush" not in repr(settings)


def test_client_options_reach_librdkafka_and_win() -> None:
    options = load(Both, RINGCENTRAL | {"KAFKA_CLIENT_OPTIONS": '{"security.protocol": "SSL"}'}).kafka_options()
    assert options["security.protocol"] == "SSL"


def test_help_lists_each_variable_with_its_default() -> None:
    table = describe(Both)
    assert "HEALTH_PORT" in table
    assert "(default 9464)" in table
    assert "RINGCENTRAL_JWT" in table
    assert "(required)" in table


def pool(text: str) -> list[tuple[str, tuple[str, ...]]]:
    settings = load(Both, RINGCENTRAL | ({"RINGCENTRAL_JWTS": text} if text else {}))
    return [(i.jwt.get_secret_value(), i.device_ids) for i in settings.supervisor_identities()]


def test_pool_of_supervisors_is_that_of_the_one_jwt_unless_named(tmp_path: Path) -> None:
    in_a_file = tmp_path / "jwts"
    in_a_file.write_text("a,b\n")

    assert pool("") == [("j", ())]
    assert pool("a, b,") == [("a", ()), ("b", ())]
    assert pool('["a", {"jwt": "b", "device_ids": ["8", 9]}]') == [("a", ()), ("b", ("8", "9"))]
    assert pool(f"@{in_a_file}") == [("a", ()), ("b", ())]


@pytest.mark.parametrize("text", ['["hush', "[7]", '[{"jwt": ""}]', "hush,hush", "@/nowhere/hush"])
def test_unreadable_pool_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        pool(text)
    assert str(caught.value).startswith("RINGCENTRAL_JWTS: ")
    assert "hush" not in str(caught.value)


def test_a_stray_variable_with_a_fields_bare_name_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PREFIX", "stray.")
    monkeypatch.setenv("EARSHOT_TOPIC_PREFIX", "meant.")
    assert KafkaSettings().topic_prefix == "meant."
    monkeypatch.delenv("EARSHOT_TOPIC_PREFIX")
    assert KafkaSettings().topic_prefix == "earshot."
    assert KafkaSettings(topic_prefix="by name.").topic_prefix == "by name."
