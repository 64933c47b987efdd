from __future__ import annotations

import pytest

from services.chassis.errors import SettingError
from services.chassis.settings import RingCentralSettings, ServiceSettings, describe, load


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
