"""The file of TRANSCRIBER_QUEUES: what it may say, and that a fault names the setting, the queue and the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.chassis.errors import SettingError
from services.transcriber.adapters.model_vocabulary import Expected, check_speech
from services.transcriber.adapters.queues_file import load_queues
from services.transcriber.adapters.weights import model_folder
from services.transcriber.app import check, leg_limits
from services.transcriber.config import TranscriberSettings
from services.transcriber.domain.queues import Speech

WHOLE = """
queues:
  "62001": {languages: [fr], vocabulary: [Earshot, RingEX]}
  62002:
    languages: [en, es]
  62003: {vocabulary: []}
  62004: {languages: [no]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "queues.yaml"


def test_what_a_queue_says_and_what_it_leaves_as_set_for_all(file: Path) -> None:
    file.write_text(WHOLE)
    assert load_queues(str(file)) == {
        "62001": Speech(("fr",), "Earshot, RingEX"),
        "62002": Speech(("en", "es")),
        "62003": Speech((), ""),
        "62004": Speech(("no",)),
    }
    assert load_queues("") == {}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["wants one entry, `queues:`"]),
        ("languages: [fr]", ["wants one entry, `queues:`"]),
        ("queues: [62001]", ["wants one entry, `queues:`"]),
        ("queues: {62001: {languages: [fr]}, 62001: {languages: [es]}}", ["line 1: 62001 is there twice"]),
        ("queues: {62001: }", ["queue 62001: must say languages or vocabulary"]),
        (
            "queues: {62001: {language: fr}}",
            ["queue 62001, language: is not known; there are languages and vocabulary"],
        ),
        ("queues: {62001: {languages: fr}}", ["queue 62001, languages: must be a list such as [fr]"]),
        ("queues: {62001: {languages: []}}", ["queue 62001, languages: names none"]),
        ("queues: {62001: {languages: [french]}}", ["queue 62001, languages: french is no language's code such as fr"]),
        ("queues: {62001: {languages: [fr, fr]}}", ["queue 62001, languages: names one twice"]),
        (
            "queues: {62001: {vocabulary: Earshot}}",
            ["queue 62001, vocabulary: must be a list such as [Earshot, RingEX]"],
        ),
        ("queues: {62001: {vocabulary: [[Earshot]]}}", ["queue 62001, vocabulary: must be a list"]),
        (
            "queues: {62001: {languages: x}, 62002: {vocabulary: ['']}}",
            ["queue 62001, languages: must be", "queue 62002, vocabulary: must be"],
        ),
    ],
)
def test_faults_name_the_setting_the_queue_and_the_field(file: Path, text: str, faults: list[str]) -> None:
    file.write_text(text)
    with pytest.raises(SettingError) as caught:
        load_queues(str(file))
    lines = str(caught.value).splitlines()
    for line, fault in zip(lines, faults, strict=True):
        assert line.startswith(f"TRANSCRIBER_QUEUES: {file}: {fault}")


def test_a_file_that_cannot_be_read(file: Path) -> None:
    with pytest.raises(SettingError, match=r"^TRANSCRIBER_QUEUES: .* cannot be read \(FileNotFoundError\)$"):
        load_queues(str(file))
    file.write_text("queues: {62001: [")
    with pytest.raises(SettingError, match=r"^TRANSCRIBER_QUEUES: .* is no YAML in line 1$"):
        load_queues(str(file))


def test_tiny_en_takes_neither_another_language_nor_words(file: Path) -> None:
    file.write_text('queues: {"62001": {languages: [fr]}, "62002": {languages: [en], vocabulary: [RingEX]}}')
    with pytest.raises(SettingError) as caught:
        leg_limits(TranscriberSettings(queues=str(file)))
    assert str(caught.value).splitlines() == [
        f"TRANSCRIBER_QUEUES: {file}: queue 62001, languages: tiny.en knows English alone; base knows others",
        f"TRANSCRIBER_QUEUES: {file}: queue 62002, vocabulary: tiny.en gets worse with one; base gets better",
    ]
    file.write_text('queues: {"62001": {languages: [en], vocabulary: []}}')
    assert leg_limits(TranscriberSettings(queues=str(file))).queues == {"62001": Speech(("en",), "")}


def test_check_looks_at_the_queues(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRANSCRIBER_QUEUES", str(file))
    file.write_text('queues: {"62001": {languages: [en], vocabulary: []}}')
    assert check() == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["queue 62001: en; no vocabulary"]
    file.write_text('queues: {"62001": {languages: [fr]}}')
    assert check() == 2
    assert capsys.readouterr().err.startswith(f"TRANSCRIBER_QUEUES: {file}: queue 62001, languages: tiny.en knows")


def test_what_the_model_has_no_token_or_no_room_for() -> None:
    folder = model_folder("")
    known = Expected("LANGUAGES", "VOCABULARY", Speech(("en", "fr"), "Earshot, RingEX"))
    check_speech(folder, "mine", [known, Expected("L", "V", Speech())])
    many = Expected("Q: languages", "Q: vocabulary", Speech(("fr", "zz"), "Earshot " * 150))
    with pytest.raises(SettingError) as caught:
        check_speech(folder, "mine", [known, many])
    first, second = str(caught.value).splitlines()
    assert first == "Q: languages: mine does not know zz"
    assert second.startswith("Q: vocabulary: ")
    assert second.endswith(" tokens, mine takes 219")
