"""Figures of the coverage bench that are kept from run to run."""

from __future__ import annotations

from tests.bench.coverage.results import code_digest, merged


def test_a_run_replaces_its_own_kind_only() -> None:
    earlier = {"options": {}, "faults": {"calls": 2}, "clean": {"calls": 1}}
    found = {"clean_killed": {"calls": 4}, "faults": {"calls": 3}}
    assert merged(earlier, found) == {"clean": {"calls": 1}, "faults": {"calls": 3}, "clean_killed": {"calls": 4}}


def test_the_digest_names_the_code() -> None:
    assert len(code_digest()) == 16
    assert code_digest() == code_digest()
