"""Fixtures for several folders of tests: one broker and one pipeline a run, topics of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.support import chromium
from tests.support.brokers import Broker, describe, running_broker
from tests.support.pipeline import Pipeline, running_pipeline


def pytest_report_header() -> list[str]:
    """Say at the top which broker and browser are meant."""
    return [describe(), chromium.describe()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it at the end too: the header is not shown by a quiet run or one that starts above this folder."""
    for line in (describe(), chromium.describe()):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of this run, with what it can do."""
    with running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka_bootstrap(broker: Broker) -> str:
    """Its address, as KAFKA_BOOTSTRAP_SERVERS wants it."""
    return broker.bootstrap_servers


@pytest.fixture(scope="session")
def pipeline(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The whole pipeline, ready; all end-to-end and browser tests share it."""
    with running_pipeline(broker, tmp_path_factory.mktemp("pipeline")) as running:
        yield running


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
