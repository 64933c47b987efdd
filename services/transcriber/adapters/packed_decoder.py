"""Decoding by our own graph (``decoder_graph``): greedy for partials, beam search for finals, on onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from services.transcriber.adapters.alignment import token_starts
from services.transcriber.adapters.ctranslate2_weights import HEAD
from services.transcriber.adapters.decoder_graph import Products, cross_graph, shape_of, step_graph
from services.transcriber.adapters.onnx_graph import Floats, session
from services.transcriber.adapters.packed_vocabulary import PackedVocabulary
from services.transcriber.adapters.runtime import Alignment, Cross, Heard, Hypothesis, Question, states_within
from services.transcriber.domain.guards import begins_to_repeat
from services.transcriber.domain.recognition import nothing

NEAR = 8.0
"""Log probability below the best within which the best few are looked for first: sorting a vocabulary is slow."""

WIDE = 4
"""Tokens of a step from which the wide graph is faster."""
HOPELESS = 3.0
"""Log probability by which a hypothesis behind the best is given up: so beams are narrow where the model is sure."""
LEFT_OUT = 3
"""Tokens of a draft among which one that is heard otherwise is looked for."""
UNSETTLED = 8
"""Tokens at the end of a partial that the next one looks at again: what follows them may make others of them."""


@dataclass(slots=True)
class _Beam:
    tokens: list[int]
    chances: list[float]
    total: float

    def longer(self, token: int, total: float) -> _Beam:
        return _Beam([*self.tokens, token], [*self.chances, total - self.total], total)

    @property
    def score(self) -> float:
        return self.total / max(1, len(self.tokens))


@dataclass(slots=True)
class _Following:
    """Logits [rows, tokens, vocabulary] of what follows. Those of frequent tokens only come with the ``states`` behind
    them. ``asked`` is what the layers that tell of times looked for in the audio, where that is wanted.
    """

    logits: Floats
    states: Floats | None
    asked: tuple[Floats, ...] = ()


@dataclass(slots=True)
class _Said:
    """A greedy answer; ``chances``: each token's log probability, and the end's if it came to one."""

    tokens: list[int]
    chances: list[float]


@dataclass(slots=True)
class _Path:
    """What a step needs of those before it: the audio, and keys and values of the tokens so far, the prompt's too."""

    fixed: dict[str, Floats]
    prompt: tuple[int, ...]
    past: list[Floats] = field(default_factory=list)

    def cut(self, answered: int) -> None:
        """Forget the answer's tokens from so many on."""
        self.past = [value[:, :, : len(self.prompt) + answered] for value in self.past]


@dataclass(frozen=True, slots=True)
class _Gone:
    """A partial's answer, and the keys and values behind it."""

    prompt: tuple[int, ...]
    past: Sequence[Floats]
    answer: Hypothesis


class PackedDecoder:
    """Whisper's decoder. Thread-safe: it keeps nothing between calls."""

    def __init__(
        self, state: Mapping[str, Floats], config: Mapping[str, Any], *, end: int, start: int, no_speech: int
    ) -> None:
        """Make the graphs (about two seconds) from OpenAI's names and the model's ``config.json``.

        ``end``, ``start``, ``no_speech``: tokens of the model's vocabulary.
        """
        self._shape = shape_of(state)
        self._positions = state["decoder.positional_embedding"]
        self._cross = session(cross_graph(state))
        self._steps = {products: session(step_graph(state, products)) for products in Products}
        self._vocabulary = PackedVocabulary(
            state,
            end=end,
            no_speech=no_speech,
            never=config.get("suppress_ids", []),
            not_first=config.get("suppress_ids_begin", []),
        )
        self._end, self._start = end, start
        self._names = [f"{part}{layer}" for layer in range(self._shape.layers) for part in ("k", "v")]
        self._made = [f"present_{name}" for name in self._names]
        later = range(self._shape.layers // 2, self._shape.layers)
        every = [(layer, head) for layer in later for head in range(self._shape.heads)]
        self._aligning: Sequence[tuple[int, int]] = config.get("alignment_heads") or every
        self._asked = [f"asked{layer}" for layer, _ in self._aligning]

    def cross(self, states: Floats) -> Cross:
        """What the decoder looks at of states [n, width]; each of them has its own."""
        return tuple(self._cross.run(None, {"states": states[np.newaxis]}))

    def decode(
        self, heard: Heard, question: Question, *, beam: int, between: Callable[[], None] = nothing
    ) -> Hypothesis:
        """The likeliest answer; a beam of one is greedy, with more ``between`` is called before each step.

        ``heard`` has its ``cross``.

        A draft is checked all at once, which costs less than to find its tokens, and changes nothing but by rounding.
        Where it was the answer to less of the same speech, only its last tokens are checked: those before stand, for
        now. Where the answer is to be ``proven``, that is its draft: passes go over all of it, in which what follows a
        token depends on those before it alone, to the last bit, until one confirms it. So it is the same whatever the
        draft was.
        """
        path = _Path(self._looked_at(heard) | {"weight": heard.weight}, question.prompt)
        if beam > 1:
            following, silent = self._begun(path, ())
            chances = self._vocabulary.chances(following.logits[:, 0], first=True)
            return self._search(path, chances, beam, question.limit, silent, between)
        return self._proven(path, question) if question.proven else self._for_now(path, question)

    def _for_now(self, path: _Path, question: Question) -> Hypothesis:
        gone = question.path if isinstance(question.path, _Gone) and question.path.prompt == question.prompt else None
        draft = question.draft[: question.limit - 1]
        settled = max(0, len(draft) - UNSETTLED) if gone is not None else 0
        if gone is not None and settled:
            said = _Said(list(draft[:settled]), list(gone.answer.chances[:settled]))
            path.past = list(gone.past)
            path.cut(settled - 1)
            following, silent = self._run(path, [draft[settled - 1 :]], roughly=True), gone.answer.no_speech
        else:
            said = _Said([], [])
            following, silent = self._begun(path, draft, roughly=True)
        self._greedy(path, following, said, list(draft[settled:]), question.limit)
        answer = self._answer(said, silent, question, ())
        return replace(answer, path=_Gone(question.prompt, path.past, answer))

    def _proven(self, path: _Path, question: Question) -> Hypothesis:
        draft = self._for_now(path, question).tokens[: question.limit - 1]
        for _ in range(question.limit):  # each pass proves a token at least
            path.past, said = [], _Said([], [])
            following, silent = self._begun(path, draft, proven=True)
            self._greedy(path, following, said, list(draft), question.limit)
            found = tuple(said.tokens[: question.limit - 1])
            if draft[: len(found)] == found:
                break
            draft = found
        return self._answer(said, silent, question, following.asked)

    def _begun(
        self, path: _Path, draft: tuple[int, ...], *, proven: bool = False, roughly: bool = False
    ) -> tuple[_Following, float]:
        """What follows the prompt and each token of the draft, and the probability that nobody spoke."""
        prompt = path.prompt
        wanted = [prompt.index(self._start), *range(len(prompt) - 1, len(prompt) + len(draft))]
        whole = self._run(path, [[*prompt, *draft]], wanted, proven=proven, roughly=roughly)
        following = replace(whole, logits=whole.logits[:, 1:])
        if whole.states is None:
            return following, self._vocabulary.silence(whole.logits[0, 0])
        silent = self._vocabulary.silence_beside_frequent(whole.logits[0, 0], whole.states[0, 0])
        return replace(following, states=whole.states[:, 1:]), silent

    def _answer(self, said: _Said, silent: float, question: Question, asked: Sequence[Floats]) -> Hypothesis:
        """``asked``: before each token of the prompt and of what was drafted, or nothing."""
        first, end = question.prompt.index(self._start), len(question.prompt) + len(said.tokens)
        best = _Beam(said.tokens, said.chances[: len(said.tokens)], sum(said.chances))
        whole = tuple(queries[0, first:end] for queries in asked if queries.shape[1] >= end)
        return replace(_hypothesis(best, silent, question.limit), asked=whole)

    def align(self, heard: Heard, prompt: Sequence[int], said: Hypothesis, duration_ms: int) -> Alignment:
        """When the tokens were said, as those heads tell that follow the speech; see ``Runtime``.

        What they looked for, the pass has told that proved the answer; else one more pass over all tokens tells, of
        which nothing is asked that follows, so that the vocabulary costs nothing.
        """
        looked_at = self._looked_at(heard)
        states = states_within(duration_ms)
        scores = [
            queries[:, head * HEAD : (head + 1) * HEAD] @ looked_at[f"cross_k{layer}"][0, head, :states].T
            for queries, (layer, head) in zip(said.asked or self._ask(heard, prompt, said), self._aligning, strict=True)
        ]
        starts = token_starts(np.stack(scores) / np.sqrt(HEAD, dtype=np.float32), len(prompt) - 1)
        return Alignment(tuple(starts), tuple(np.exp(said.chances).tolist()))

    def _ask(self, heard: Heard, prompt: Sequence[int], said: Hypothesis) -> list[Floats]:
        feeds = {name: made[:, :, : heard.own] for name, made in self._looked_at(heard).items()}
        feeds |= {"weight": heard.weight[: heard.own]}
        feeds |= self._feeds([[*prompt, *said.tokens]], past=(), wanted=())
        return [queries[0] for queries in self._steps[Products.WIDE].run(self._asked, feeds)]

    def _looked_at(self, heard: Heard) -> dict[str, Floats]:
        return {f"cross_{name}": value for name, value in zip(self._names, heard.cross, strict=True)}

    def _greedy(self, path: _Path, following: _Following, said: _Said, draft: list[int], limit: int) -> None:
        """Say the rest. ``following``: what may come after what is ``said``, and after each token of the draft."""
        tokens = said.tokens
        while True:
            for number in range(following.logits.shape[1]):
                best, chance = self._best(following, number, first=not tokens)
                said.chances.append(chance)
                if best != self._end:
                    tokens.append(best)
                if best == self._end or len(tokens) >= limit or begins_to_repeat(tokens):
                    return
                if number == len(draft) or best != draft[number]:
                    break
            path.cut(len(tokens) - 1)
            draft = _rest(draft, number, tokens[-1])[: limit - len(tokens) - 1]
            following = self._run(path, [[tokens[-1], *draft]], roughly=True)

    def _search(
        self, path: _Path, chances: Floats, size: int, limit: int, silent: float, between: Callable[[], None]
    ) -> Hypothesis:
        beams = [_Beam([], [], 0.0)]
        done: list[_Beam] = []
        while True:
            totals = chances + np.array([[beam.total] for beam in beams], dtype=np.float32)
            rows, heads = _best(totals, 2 * size)
            kept: list[_Beam] = []
            sources: list[int] = []
            for rank, (row, token) in enumerate(zip(rows, heads, strict=True)):
                source, total = beams[row], float(totals[row, token])
                if token == self._end:
                    if rank < size:
                        done.append(replace(source, total=total))
                elif len(kept) < size:
                    kept.append(source.longer(int(token), total))
                    sources.append(int(row))
            hopeful = _hopeful(kept, done)
            kept, sources = kept[:hopeful], sources[:hopeful]
            if len(done) >= size or not kept or len(kept[0].tokens) >= limit:
                break
            between()
            path.past = [value[sources] for value in path.past]
            following = self._run(path, [[beam.tokens[-1]] for beam in kept])
            chances = self._vocabulary.chances(following.logits[:, -1], first=False)
            beams = kept
        return _hypothesis(max(done or kept, key=lambda beam: beam.score), silent, limit)

    def _run(
        self,
        path: _Path,
        tokens: Sequence[Sequence[int]],
        wanted: Sequence[int] = (),
        *,
        proven: bool = False,
        roughly: bool = False,
    ) -> _Following:
        """What follows the tokens, or those wanted; the path is longer by them. ``roughly``: what is likely will do."""
        feeds = path.fixed | self._feeds(tokens, path.past, wanted or range(len(tokens[0])))
        wide = proven or len(tokens) * len(tokens[0]) >= WIDE
        products = Products.WIDE if wide else Products.ROUGH if roughly else Products.NARROW
        names = self._asked if proven else []
        states, *made = self._steps[products].run(["normed", *names, *self._made], feeds)
        asked, path.past = tuple(made[: len(names)]), made[len(names) :]
        if wide and not roughly:
            return _Following(self._vocabulary.all(states), None, asked)
        frequent = self._vocabulary.frequent(states, rough=not wide)
        return _Following(frequent, states) if roughly else _Following(self._vocabulary.whole(frequent, states), None)

    def _feeds(
        self, tokens: Sequence[Sequence[int]], past: Sequence[Floats], wanted: Sequence[int]
    ) -> dict[str, npt.NDArray[Any]]:
        """What a step is given of the tokens; ``past`` is empty at first."""
        known = past[0].shape[2] if past else 0
        rows = np.array(tokens)
        embedded = self._vocabulary.embedding[rows] + self._positions[known : known + rows.shape[1]]
        past = past or [np.zeros((len(rows), self._shape.heads, 0, HEAD), dtype=np.float32)] * len(self._names)
        feeds = {f"past_{name}": value for name, value in zip(self._names, past, strict=True)}
        return feeds | {"embedded": embedded, "wanted": np.array(wanted, dtype=np.int64)}

    def _best(self, following: _Following, number: int, *, first: bool) -> tuple[int, float]:
        """The likeliest behind a token of the only row, and its log probability."""
        row = following.logits[0, number]
        if following.states is None:
            return self._vocabulary.best(row, first=first)
        return self._vocabulary.best_of_frequent(row, following.states[0, number], first=first)


def _hypothesis(beam: _Beam, silent: float, limit: int) -> Hypothesis:
    ended = len(beam.tokens) < limit
    return Hypothesis(tuple(beam.tokens), beam.score, silent, ended=ended, chances=tuple(beam.chances))


def _hopeful(kept: Sequence[_Beam], done: Sequence[_Beam]) -> int:
    """How many of the beams, best first, may still win."""
    best = max([kept[0].total, *(beam.total for beam in done)])
    return sum(beam.total >= best - HOPELESS for beam in kept)


def _rest(draft: Sequence[int], at: int, instead: int) -> list[int]:
    """What of a draft may go on after another token than its own at ``at``: one for one, or some left out."""
    later = draft[at:]
    begin = at + later.index(instead) if instead in later[:LEFT_OUT] else at
    return list(draft[begin + 1 :])


def _best(totals: Floats, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and tokens of the largest, the largest first."""
    flat = totals.ravel()
    near = np.flatnonzero(flat > flat.max() - NEAR)
    if len(near) < count:
        near = np.argpartition(flat, -count)[-count:]
    largest = near[np.argsort(-flat[near], kind="stable")][:count]
    rows, heads = np.divmod(largest, totals.shape[1])
    return rows, heads
