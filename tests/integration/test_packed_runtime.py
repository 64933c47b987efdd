"""Our own graphs beside CTranslate2, on the same weights and the same speech."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path

import ctranslate2
import jiwer
import numpy as np
import pytest
import soundfile
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

from services.transcriber.adapters import packed_decoder
from services.transcriber.adapters.ctranslate2_runtime import CTranslate2Runtime
from services.transcriber.adapters.ctranslate2_weights import openai_state, read_variables
from services.transcriber.adapters.doubt import SURE, SURE_OF_EACH, UNLIKELY
from services.transcriber.adapters.log_mel import Front
from services.transcriber.adapters.onnx_graph import Floats, Graph, session
from services.transcriber.adapters.packed_decoder import UNSETTLED
from services.transcriber.adapters.packed_encoder import SETTLED_STATES, PackedEncoder
from services.transcriber.adapters.packed_runtime import PAD_S, PackedRuntime
from services.transcriber.adapters.packed_vocabulary import PackedVocabulary
from services.transcriber.adapters.runtime import FULL_FRAMES, STATES_PER_S, Heard, Hypothesis, Question, even_frames
from services.transcriber.adapters.silence_tail import TAIL_FROM, clips
from services.transcriber.adapters.sound import WHISPER_HZ, Sound, sound_of, to_whisper_rate
from services.transcriber.adapters.weights import model_folder
from services.transcriber.adapters.whisper_engine import WhisperEngine
from services.transcriber.adapters.word_spans import aligned_words
from services.transcriber.domain.recognition import Quality, Recognition, RecognitionRequest
from tests.support.tiny_en import END, PROMPT, START, difference

CONVERSATION = Path(__file__).parents[1] / "data" / "conversations" / "broadband_outage.flac"
HZ = 8_000
SPOKEN = 150
"""Mean size of samples from which somebody speaks most of the time."""


@pytest.fixture(scope="module")
def folder() -> Path:
    return model_folder("", "tiny.en", cache=Path("unused"))


@pytest.fixture(scope="module")
def make_engine(folder: Path) -> Callable[[str], WhisperEngine]:
    @cache
    def make(runtime: str) -> WhisperEngine:
        return WhisperEngine(
            folder, model_name="tiny.en", compute_type="int8", workers=1, short_windows=True, runtime=runtime
        )

    return make


@pytest.fixture(scope="module")
def runtime(folder: Path) -> PackedRuntime:
    front = Front(80, lambda _: nullcontext())
    return PackedRuntime(folder, front, end=END, start=START, no_speech=50_361, stage=lambda _: nullcontext())


@pytest.fixture(scope="module")
def turns() -> list[bytes]:
    audio = soundfile.read(CONVERSATION, dtype="int16", always_2d=True)[0]
    return [audio[at * HZ : (at + 4) * HZ, side].tobytes() for at in range(0, 60, 6) for side in (0, 1)]


@pytest.fixture(scope="module")
def spoken(turns: list[bytes]) -> list[bytes]:
    """Those in which somebody speaks."""
    return [turn for turn in turns if np.abs(np.frombuffer(turn, dtype="<i2")).mean() > SPOKEN]


def _heard(engine: WhisperEngine, pcm16: bytes, quality: Quality) -> Recognition:
    return engine.recognize(RecognitionRequest(pcm16=pcm16, rate_hz=HZ, quality=quality))


@pytest.mark.parametrize("quality", [Quality.PARTIAL, Quality.FINAL])
def test_hears_what_ctranslate2_hears(make_engine, turns: list[bytes], quality: Quality) -> None:
    """But for roundings: both are in 8 bits, cut differently."""
    own, theirs = make_engine("onnxruntime"), make_engine("ctranslate2")
    pairs = [(_heard(own, turn, quality), _heard(theirs, turn, quality)) for turn in turns]
    ours_text, their_text = (" ".join(pair[side].text for pair in pairs) for side in (0, 1))
    assert len(their_text.split()) > 50
    assert jiwer.wer(their_text, ours_text) < 0.1
    apart = [abs(a.no_speech - b.no_speech) for a, b in pairs if a.words]
    assert float(np.median(apart)) < 0.05
    sure = [abs(a.mean_log_probability - b.mean_log_probability) for a, b in pairs if a.text == b.text and a.words]
    assert float(np.median(sure)) < 0.1


def test_a_final_stands_where_the_model_is_sure_of_it_or_doubts_its_punctuation_only(
    make_engine, folder: Path, runtime: PackedRuntime, turns: list[bytes]
) -> None:
    engine, stand = make_engine("onnxruntime"), []
    vocabulary = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for turn in turns:
        (said,) = runtime.decode(
            runtime.hear([sound_of(turn, HZ)], Quality.FINAL), [Question(PROMPT, 60, proven=True)], beam=1
        )
        words = [c for t, c in zip(said.tokens, said.chances, strict=True) if vocabulary.decode([t]).strip(" .,?!-'")]
        heard = _heard(engine, turn, Quality.FINAL)
        if heard.words:
            sure = said.score >= SURE["tiny"] and min(words) >= UNLIKELY
            stands = sure or min(words) >= SURE_OF_EACH["tiny"]
            assert heard.doubtful == (not stands)
            stand.append((sure, stands))
    assert {(True, True), (False, True), (False, False)} == set(stand)


def test_several_threads_hear_the_same(make_engine, turns: list[bytes]) -> None:
    engine = make_engine("onnxruntime")
    alone = [_heard(engine, turn, Quality.PARTIAL) for turn in turns]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda turn: _heard(engine, turn, Quality.PARTIAL), turns))
    assert together == alone


def test_a_short_window_sees_the_silence_of_the_full_one(
    folder: Path, runtime: PackedRuntime, turns: list[bytes]
) -> None:
    """Its states are far nearer to the full window's than those of a window that ends with the speech."""
    seen, unseen, front = [], [], Front(80, lambda _: nullcontext())
    encoder = PackedEncoder(openai_state(read_variables(folder / "model.bin")), [front.mel(clips()[0], FULL_FRAMES)])
    for turn in turns:
        sound = sound_of(turn, HZ)
        spoken = int(sound.duration_s * STATES_PER_S)
        (full,), (short,) = (runtime.hear([sound], Quality.PARTIAL, full=whole) for whole in (True, False))
        assert (full.own, short.own) == (
            FULL_FRAMES // 2,
            even_frames(sound.duration_s + PAD_S[Quality.PARTIAL]) // 2,
        )
        assert np.exp(short.weight).sum() == pytest.approx(FULL_FRAMES // 2, rel=1e-4)
        alone, _ = encoder.alone(front.mel(sound, 2 * short.own))
        seen.append(difference(short.states[:spoken], full.states[:spoken]))
        unseen.append(difference(alone[:spoken], full.states[:spoken]))
    assert float(np.median(seen)) < 0.15
    assert float(np.median(seen)) < 0.5 * float(np.median(unseen))


def test_telephone_audio_gives_the_frames_that_it_would_give_at_twice_its_rate(spoken: list[bytes]) -> None:
    """But for single quiet ones near its upper end; and those at Whisper's rate are the library's own."""
    front, library = Front(80, lambda _: nullcontext()), FeatureExtractor(feature_size=80)
    for turn in spoken:
        taken, brought = sound_of(turn, HZ), Sound(to_whisper_rate(turn, HZ), WHISPER_HZ)
        frames = even_frames(taken.duration_s)
        ours, theirs = front.mel(taken, frames)[0], front.mel(brought, frames)[0]
        assert ours.shape == (80, frames)
        assert np.quantile(np.abs(ours - theirs)[:55], 0.999) < 0.02
        assert np.abs(ours - theirs).mean(axis=1).max() < 0.02
        assert theirs == pytest.approx(library(brought.samples, padding=0)[:, :frames], abs=1e-4)


def test_the_tail_that_stands_for_itself_is_silence_at_its_own_positions(runtime: PackedRuntime) -> None:
    (heard,) = runtime.hear([Sound(np.zeros(2 * HZ, dtype=np.float32), HZ)], Quality.FINAL)
    plain = runtime.plain(heard)
    assert (plain[: heard.own] == heard.states[: heard.own]).all()
    assert len(plain) > heard.own
    assert heard.own < TAIL_FROM


def test_a_draft_changes_hardly_more_than_the_cost(runtime: PackedRuntime, turns: list[bytes]) -> None:
    """Whether it is right, right at first, has a token too many or too few, or is about something else.

    Of two tokens that are about equally likely the other may come: products of one row and of many round apart, and
    on each kind of processor in their own way.
    """
    limit, without, with_draft = 60, [], []
    for turn in turns:
        heard = runtime.hear([sound_of(turn, HZ)], Quality.PARTIAL)
        (plain,) = runtime.decode(heard, [Question(PROMPT, limit)], beam=1)
        tokens = plain.tokens
        if len(tokens) < 4:
            continue
        for draft in _drafts(tokens):
            (drafted,) = runtime.decode(heard, [Question(PROMPT, limit, draft)], beam=1)
            without.append(" ".join(map(str, tokens)))
            with_draft.append(" ".join(map(str, drafted.tokens)))
            assert drafted.tokens != tokens or drafted.score == pytest.approx(plain.score, abs=0.2)
        (cut,) = runtime.decode(heard, [Question(PROMPT, 3, tokens)], beam=1)
        assert (len(cut.tokens), cut.ended) == (3, False)
    assert len(without) > 36
    assert jiwer.wer(without, with_draft) < 0.1


def test_a_proven_answer_is_the_same_whatever_was_drafted(runtime: PackedRuntime, spoken: list[bytes]) -> None:
    """To the last rounding of every chance, also where it is cut short; and it is nearly the answer of single steps."""
    proven_text, plain_text = [], []
    for turn in spoken:
        heard = runtime.hear([sound_of(turn, HZ)], Quality.FINAL)
        for limit in (60, 5):
            (proven,) = runtime.decode(heard, [Question(PROMPT, limit, proven=True)], beam=1)
            for draft in _drafts(proven.tokens):
                assert runtime.decode(heard, [Question(PROMPT, limit, draft, proven=True)], beam=1) == [proven]
            assert len(proven.tokens) <= limit
            assert proven.ended == (len(proven.tokens) < limit)
        (plain,) = runtime.decode(heard, [Question(PROMPT, 60)], beam=1)
        plain_text += plain.tokens
        proven_text += runtime.decode(heard, [Question(PROMPT, 60, proven=True)], beam=1)[0].tokens
    assert len(plain_text) > 50
    assert jiwer.wer(" ".join(map(str, plain_text)), " ".join(map(str, proven_text))) < 0.1


def _drafts(tokens: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Right, right at first, with a token too many or too few, or about something else."""
    return [tokens, tokens[:3], tokens[1:], (*tokens[:2], 11, *tokens[2:]), (11,) * 9, (*tokens, 11, 13)]


def test_a_partial_takes_over_what_the_last_one_heard(runtime: PackedRuntime, spoken: list[bytes]) -> None:
    """But for the end, where silence stood for what is heard now; all of it is nearly what hearing it anew gives."""
    apart, taken_text, anew_text = [], [], []
    for turn in spoken:
        sound = sound_of(turn, HZ)
        before: Heard | None = None
        for end_s in (1.0, 1.8, 2.6, 3.4, 4.0):
            so_far = Sound(sound.samples[: int(end_s * HZ)], HZ)
            (heard,) = runtime.hear([so_far], Quality.PARTIAL, earlier=[before])
            (anew,) = runtime.hear([so_far], Quality.PARTIAL)
            assert heard.own == anew.own
            assert (heard.weight == anew.weight).all()
            if before is not None:
                kept = before.own - SETTLED_STATES
                assert (heard.states[:kept] == before.states[:kept]).all()
            before = heard
        apart.append(difference(heard.states[: heard.own], anew.states[: anew.own]))
        taken, told = runtime.decode([heard, anew], [Question(PROMPT, 60)] * 2, beam=1)
        taken_text += taken.tokens
        anew_text += told.tokens
    assert float(np.median(apart)) < 0.25
    assert len(anew_text) > 50
    assert jiwer.wer(" ".join(map(str, anew_text)), " ".join(map(str, taken_text))) < 0.15


def test_the_next_partial_goes_on_from_the_last_ones_answer(runtime: PackedRuntime, spoken: list[bytes]) -> None:
    """But for its last tokens; the rest stands as it was, and what follows is nearly what it would be."""
    on_text, anew_text, stood = [], [], 0
    for turn in spoken:
        sound = sound_of(turn, HZ)
        said = Hypothesis((), 0.0, 0.0, ended=True)
        for end_s in (2.4, 3.2, 4.0):
            (heard,) = runtime.hear([Sound(sound.samples[: int(end_s * HZ)], HZ)], Quality.PARTIAL)
            questions = [Question(PROMPT, 60, said.tokens, path=path) for path in (said.path, None)]
            went_on, anew = runtime.decode([heard, heard], questions, beam=1)
            settled = min(len(said.tokens), 60 - 1) - UNSETTLED
            if settled > 0:
                stood += 1
                assert went_on.tokens[:settled] == said.tokens[:settled]
                assert went_on.chances[:settled] == said.chances[:settled]
                assert went_on.no_speech == said.no_speech
            assert len(went_on.chances) == len(went_on.tokens)
            said = went_on
        on_text += said.tokens
        anew_text += anew.tokens
    assert stood > 3
    assert jiwer.wer(" ".join(map(str, anew_text)), " ".join(map(str, on_text))) < 0.1


def test_an_answer_to_another_question_is_no_path_to_go_on_from(runtime: PackedRuntime, spoken: list[bytes]) -> None:
    (heard,) = runtime.hear([sound_of(spoken[0], HZ)], Quality.PARTIAL)
    other = (50_360, 1_002, 2_003, *PROMPT)  # two words stand before the prompt
    (said,) = runtime.decode([heard], [Question(other, 60)], beam=1)
    assert len(said.tokens) > UNSETTLED
    questions = [Question(PROMPT, 60, said.tokens, path=path) for path in (said.path, None)]
    went_on, anew = runtime.decode([heard, heard], questions, beam=1)
    assert went_on == anew


def test_frequent_tokens_alone_tell_whether_anybody_spoke(runtime: PackedRuntime, spoken: list[bytes]) -> None:
    """Nearly as all of them do."""
    told = []
    noise = np.random.default_rng(5).normal(0, 0.003, 2 * HZ).astype(np.float32)
    for sound in (Sound(noise, HZ), *(sound_of(turn, HZ) for turn in spoken[:5])):
        (heard,) = runtime.hear([sound], Quality.PARTIAL)
        questions = [Question(PROMPT, 60, proven=proven) for proven in (False, True)]
        roughly, wholly = runtime.decode([heard, heard], questions, beam=1)
        assert roughly.no_speech == pytest.approx(wholly.no_speech, abs=0.1)
        told.append(roughly.no_speech)
    assert told[0] > 0.3 > max(told[1:])


def test_the_likeliest_token_is_found_among_the_frequent_and_else_among_all(
    folder: Path, runtime: PackedRuntime, spoken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nearly the same chance, behind each token of what was said; seldom is a rare one missed."""
    state = openai_state(read_variables(folder / "model.bin"))
    ours = PackedVocabulary(state, end=END, no_speech=50_361, never=[11], not_first=[220, END])
    behind: list[Floats] = []
    frequent = PackedVocabulary.frequent
    monkeypatch.setattr(PackedVocabulary, "frequent", lambda *a, **k: behind.append(a[1].copy()) or frequent(*a, **k))
    for turn in spoken[:8]:
        runtime.decode(runtime.hear([sound_of(turn, HZ)], Quality.PARTIAL), [Question(PROMPT, 60)], beam=1)
    monkeypatch.undo()
    pairs = []
    for states in (states[:, -1:] for states in behind):
        for first in (False, True):
            found = ours.best_of_frequent(ours.frequent(states, rough=True)[0, 0], states[0, 0], first=first)
            pairs.append((found, ours.best(ours.all(states)[0, 0], first=first)))
    same = [abs(found[1] - expected[1]) for found, expected in pairs if found[0] == expected[0]]
    assert len(same) > 0.97 * len(pairs) > 100
    assert max(same) < 0.7
    assert float(np.median(same)) < 0.05
    assert all(found[0] != 11 for found, _ in pairs)


@pytest.mark.parametrize("proven", [True, False])
def test_an_answer_that_goes_round_in_circles_is_not_waited_for(
    runtime: PackedRuntime, spoken: list[bytes], monkeypatch: pytest.MonkeyPatch, proven: bool
) -> None:
    heard = runtime.hear([sound_of(spoken[0], HZ)], Quality.FINAL)
    (whole,) = runtime.decode(heard, [Question(PROMPT, 60, proven=proven)], beam=1)
    monkeypatch.setattr(packed_decoder, "begins_to_repeat", lambda tokens: len(tokens) >= 3)
    for draft in ((), whole.tokens[:2], whole.tokens):
        (cut,) = runtime.decode(heard, [Question(PROMPT, 60, draft=draft, proven=proven)], beam=1)
        assert cut.tokens == whole.tokens[:3]


def test_a_full_window_takes_nothing_over(runtime: PackedRuntime, spoken: list[bytes]) -> None:
    sound = sound_of(spoken[0], HZ)
    (before,) = runtime.hear([Sound(sound.samples[: len(sound.samples) // 2], HZ)], Quality.PARTIAL, full=True)
    (heard,) = runtime.hear([sound], Quality.PARTIAL, full=True, earlier=[before])
    (anew,) = runtime.hear([sound], Quality.PARTIAL, full=True)
    assert (heard.states == anew.states).all()


def test_a_final_depends_on_its_audio_alone(make_engine, spoken: list[bytes]) -> None:
    """To the last rounding, whatever partials there were."""
    engine, drafted = make_engine("onnxruntime"), 0
    for turn in spoken[:6]:
        request = RecognitionRequest(pcm16=turn, rate_hz=HZ, quality=Quality.FINAL)
        less = replace(request, pcm16=turn[: len(turn) // 4 * 3], quality=Quality.PARTIAL)
        trace = engine.recognize(less).trace
        drafted += trace is not None
        assert engine.recognize(replace(request, draft=trace)) == engine.recognize(request)
    assert drafted > 3


def test_words_begin_where_ctranslate2_has_them(folder: Path, runtime: PackedRuntime) -> None:
    """The same states and the same tokens; our own pass sees no silence behind, and rounds otherwise."""
    model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=1)
    theirs = CTranslate2Runtime(model, Front(80, lambda _: nullcontext()), end=END, stage=lambda _: nullcontext())
    vocabulary = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer = Tokenizer(vocabulary, False, task="transcribe", language="en")
    apart_ms: list[int] = []
    apart: list[float] = []
    for pcm16 in _said(at_most=20):
        (heard,) = runtime.hear([sound_of(pcm16, HZ)], Quality.FINAL)
        (said,) = runtime.decode([heard], [Question(PROMPT, 60)], beam=1)
        duration_ms = len(pcm16) // 2 * 1000 // HZ
        plain = runtime.plain(heard)
        same = Heard(plain, np.zeros(len(plain), dtype=np.float32), heard.own)
        found = (runtime.align(heard, PROMPT, said, duration_ms), theirs.align(same, PROMPT, said, duration_ms))
        ours, others = (aligned_words(tokenizer, said.tokens, one, duration_ms) for one in found)
        assert [word.text for word in ours] == [word.text for word in others]
        apart_ms += [abs(one.start_ms - other.start_ms) for one, other in zip(ours, others, strict=True)]
        apart += [abs(one.probability - other.probability) for one, other in zip(ours, others, strict=True)]
    assert len(apart_ms) > 120
    assert np.mean(np.array(apart_ms) <= 60) > 0.95
    assert float(np.median(apart)) < 0.05


def _said(*, at_most: int) -> list[bytes]:
    """Turns of the conversation, as they were said."""
    audio = soundfile.read(CONVERSATION, dtype="int16", always_2d=True)[0]
    turns = json.loads(CONVERSATION.with_suffix(".json").read_text())["turns"]
    sides = {"agent": 0, "customer": 1}
    spans = [(turn["start_ms"] * HZ // 1000, turn["end_ms"] * HZ // 1000, sides[turn["role"]]) for turn in turns]
    return [audio[start:end, side].tobytes() for start, end, side in spans if end - start < 12 * HZ][:at_most]


@pytest.mark.parametrize("beam", [1, 5])
def test_each_token_has_its_chance(runtime: PackedRuntime, spoken: list[bytes], beam: int) -> None:
    """They add up to the score but for the end's, also where the answer is cut or was drafted."""
    for turn in spoken[:6]:
        heard = runtime.hear([sound_of(turn, HZ)], Quality.FINAL)
        (whole,) = runtime.decode(heard, [Question(PROMPT, 60)], beam=beam)
        questions = (Question(PROMPT, 60, whole.tokens), Question(PROMPT, 3))
        for said in (whole, *(runtime.decode(heard, [question], beam=beam)[0] for question in questions)):
            assert len(said.chances) == len(said.tokens)
            assert all(chance <= 0 for chance in said.chances)
            end = said.score * len(said.tokens) - sum(said.chances)
            assert end <= 1e-3
            assert said.ended or end == pytest.approx(0, abs=1e-3)


def test_what_is_likely_is_exact_though_single_steps_are_rough(folder: Path) -> None:
    """The vocabulary of a step is rounded to 4 bits, and the likely words' part of it is multiplied anew."""
    state = openai_state(read_variables(folder / "model.bin"))
    vocabulary = state["decoder.token_embedding.weight"].astype(np.float32)
    heard = 10 * np.random.default_rng(3).normal(size=(5, 1, vocabulary.shape[1])).astype(np.float32)
    graph = Graph("vocabulary")
    graph.by_blocks("x", vocabulary, None, "y", bits=4)
    (rough,) = session(graph.model({"x": ["rows", 1, vocabulary.shape[1]]}, ["y"])).run(None, {"x": heard})
    exact = heard @ vocabulary.T
    ours = PackedVocabulary(state, end=END, no_speech=50_361, never=[END + 1], not_first=[])
    assert np.abs(rough - exact).max() > 0.5
    for found, right, state in zip(rough[:, 0], exact[:, 0], heard[:, 0], strict=True):
        ours.refine(found, state)
        allowed = np.delete(right, END + 1)
        near = np.flatnonzero(right > allowed.max() - 1)
        assert found[near] == pytest.approx(right[near], abs=0.01)
        assert np.delete(found, END + 1).argmax() == allowed.argmax()
