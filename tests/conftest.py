"""Fixtures of the integration and end-to-end tests: one broker for the whole run, topics of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.support.brokers import Broker, describe, running_broker


def pytest_report_header() -> str:
    """Say at the top which broker is meant."""
    return describe()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it at the end too: the header is not shown by a quiet run or one that starts above this folder."""
    terminalreporter.write_line(describe())


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of this run, with what it can do."""
    with running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka_bootstrap(broker: Broker) -> str:
    """Its address, as KAFKA_BOOTSTRAP_SERVERS wants it."""
    return broker.bootstrap_servers


@pytest.fixture
def topic_prefix() -> str:
    """This test's own prefix for topics, groups and transactional ids, as EARSHOT_TOPIC_PREFIX wants it."""
    return f"t{secrets.token_hex(4)}."


@pytest.fixture
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A second broker for one test alone, to stop, kill and start (`own_broker.node`)."""
    with running_broker(tmp_path_factory.mktemp("own-broker")) as running:
        if running.node is None:
            pytest.skip("a broker named in KAFKA_BOOTSTRAP_SERVERS is not ours to stop")
        yield running
