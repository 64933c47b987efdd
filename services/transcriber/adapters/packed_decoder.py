"""Decoding by our own graph (``decoder_graph``): greedy for partials, beam search for finals, on onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from services.transcriber.adapters.alignment import token_starts
from services.transcriber.adapters.ctranslate2_weights import HEAD
from services.transcriber.adapters.decoder_graph import FREQUENT, cross_graph, rare_graph, shape_of, step_graph
from services.transcriber.adapters.onnx_graph import Floats, session
from services.transcriber.adapters.runtime import Alignment, Cross, Heard, Hypothesis, Question, states_within
from services.transcriber.domain.recognition import nothing

NEAR = 8.0
"""Log probability below the best within which the best few are looked for first: sorting a vocabulary is slow."""

WIDE = 4
"""Tokens of a step from which the wide graph is faster."""
LIKELY = 8.0
"""Tokens whose rough logits are so near to the best are looked at exactly; the best by far is among them."""
SURE_OF_FREQUENT = float(np.log(0.5))
"""Log probability of the best of the frequent tokens, among them, from which a single step leaves the rare ones out."""
HOPELESS = 3.0
"""Log probability by which a hypothesis behind the best is given up: so beams are narrow where the model is sure."""
LEFT_OUT = 3
"""Tokens of a draft among which one that is heard otherwise is looked for."""


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
    """Logits [rows, tokens, vocabulary] of what follows. Those of frequent tokens only, and rough, come with the
    ``states`` to refine them by. ``asked`` is what the layers that tell of times looked for in the audio, where that is
    wanted.
    """

    logits: Floats
    states: Floats | None
    asked: tuple[Floats, ...] = ()


@dataclass(slots=True)
class _Said:
    """A greedy answer; ``rows``: the logits of each token, and of the end if it came to one."""

    tokens: list[int]
    rows: list[Floats]


@dataclass(slots=True)
class _Path:
    """What a step needs of those before it: the audio, and keys and values of the tokens so far, the prompt's too."""

    fixed: dict[str, Floats]
    prompt: int
    past: list[Floats] = field(default_factory=list)

    def cut(self, length: int) -> None:
        """Forget the tokens from ``length`` on."""
        self.past = [value[:, :, :length] for value in self.past]


class PackedDecoder:
    """Whisper's decoder. Thread-safe: it keeps nothing between calls."""

    def __init__(
        self, state: Mapping[str, Floats], config: Mapping[str, Any], *, end: int, start: int, no_speech: int
    ) -> None:
        """Make the graphs (about two seconds) from OpenAI's names and the model's ``config.json``.

        ``end``, ``start``, ``no_speech``: tokens of the model's vocabulary.
        """
        self._shape = shape_of(state)
        self._embedding = state["decoder.token_embedding.weight"].astype(np.float32)
        self._positions = state["decoder.positional_embedding"]
        self._cross = session(cross_graph(state))
        self._steps = {wide: session(step_graph(state, wide=wide, end=end)) for wide in (False, True)}
        self._rare = session(rare_graph(state))
        self._end, self._start, self._no_speech = end, start, no_speech
        self._never = np.array(config.get("suppress_ids", []), dtype=np.int64)
        self._all = np.arange(len(self._embedding))
        self._frequent = np.append(self._all[:FREQUENT], end)
        self._never_frequent = np.flatnonzero(np.isin(self._frequent, self._never))
        self._not_first = np.array(config.get("suppress_ids_begin", []), dtype=np.int64)
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
        Where the answer is to be ``proven``, a last pass goes over all of it, in which what follows a token depends on
        those before it alone, to the last bit: so it is the same whatever the draft was.
        """
        fixed = self._looked_at(heard) | {"weight": heard.weight}
        if beam > 1:
            path, following, silent = self._begun(fixed, question.prompt, ())
            return self._search(path, self._chances(following.logits[:, 0]), beam, question.limit, silent, between)
        draft = question.draft[: question.limit - 1]
        for _ in range(question.limit):  # each pass proves a token at least
            path, following, silent = self._begun(fixed, question.prompt, draft, proven=question.proven)
            said = self._greedy(path, following, list(draft), question.limit)
            found = tuple(said.tokens[: question.limit - 1])
            if not question.proven or draft[: len(found)] == found:
                break
            draft = found
        return self._answer(said, silent, question, following.asked)

    def _begun(
        self, fixed: dict[str, Floats], prompt: tuple[int, ...], draft: tuple[int, ...], *, proven: bool = False
    ) -> tuple[_Path, _Following, float]:
        """The path behind prompt and draft; what follows the prompt and each token of the draft; the probability that
        nobody spoke.
        """
        path = _Path(fixed, len(prompt))
        wanted = [prompt.index(self._start), *range(len(prompt) - 1, len(prompt) + len(draft))]
        following = self._run(path, [[*prompt, *draft]], wanted, proven=proven)
        silent = float(np.exp(_log_softmax(following.logits[0, 0])[self._no_speech]))
        following.logits[:, 1, self._not_first] = -np.inf
        return path, replace(following, logits=following.logits[:, 1:]), silent

    def _answer(self, said: _Said, silent: float, question: Question, asked: Sequence[Floats]) -> Hypothesis:
        """``asked``: before each token of the prompt and of what was drafted, or nothing."""
        first, end = question.prompt.index(self._start), len(question.prompt) + len(said.tokens)
        told = [self._chance(row) for row in said.rows]
        best = _Beam(said.tokens, told[: len(said.tokens)], sum(told))
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
        return [queries[0] for queries in self._steps[True].run(self._asked, feeds)]

    def _looked_at(self, heard: Heard) -> dict[str, Floats]:
        return {f"cross_{name}": value for name, value in zip(self._names, heard.cross, strict=True)}

    def _greedy(self, path: _Path, following: _Following, draft: list[int], limit: int) -> _Said:
        """``following``: what may come after the prompt, and after each token of the draft."""
        said = _Said([], [])
        tokens = said.tokens
        while True:
            for number in range(following.logits.shape[1]):
                row = self._row(following, number)
                best = int(row.argmax())
                best = best if len(row) > len(self._frequent) else int(self._frequent[best])
                said.rows.append(row)
                if best != self._end:
                    tokens.append(best)
                if best == self._end or len(tokens) >= limit:
                    return said
                if number == len(draft) or best != draft[number]:
                    break
            path.cut(path.prompt + len(tokens) - 1)
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
            chances = self._chances(self._run(path, [[beam.tokens[-1]] for beam in kept]).logits[:, -1])
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
        """What follows the tokens, or those wanted; the path is longer by them. ``roughly``: it may be rough."""
        feeds = path.fixed | self._feeds(tokens, path.past, wanted or range(len(tokens[0])))
        wide = proven or len(tokens) * len(tokens[0]) >= WIDE
        asked = self._asked if proven else []
        logits, *made = self._steps[wide].run(["logits", "normed", *asked, *self._made], feeds)
        path.past = made[1 + len(asked) :]
        if wide:
            return _Following(logits, None, tuple(made[1 : 1 + len(asked)]))
        return _Following(logits, made[0]) if roughly else _Following(self._whole(logits, made[0]), None)

    def _feeds(
        self, tokens: Sequence[Sequence[int]], past: Sequence[Floats], wanted: Sequence[int]
    ) -> dict[str, npt.NDArray[Any]]:
        """What a step is given of the tokens; ``past`` is empty at first."""
        known = past[0].shape[2] if past else 0
        rows = np.array(tokens)
        embedded = self._embedding[rows] + self._positions[known : known + rows.shape[1]]
        past = past or [np.zeros((len(rows), self._shape.heads, 0, HEAD), dtype=np.float32)] * len(self._names)
        feeds = {f"past_{name}": value for name, value in zip(self._names, past, strict=True)}
        return feeds | {"embedded": embedded, "wanted": np.array(wanted, dtype=np.int64)}

    def _row(self, following: _Following, number: int) -> Floats:
        """The logits of what follows a token of the only row; those of the frequent tokens and the end alone where they
        leave little doubt that it is one of them.
        """
        row: Floats = following.logits[0, number]
        if following.states is not None:
            state = following.states[0, number]
            row[self._never_frequent] = -np.inf
            self._refine(row, state, self._frequent)
            if self._chance(row) >= SURE_OF_FREQUENT:
                return row
            row = self._whole(row, state)
        row[self._never] = -np.inf
        return row

    def _whole(self, frequent: Floats, states: Floats) -> Floats:
        """Logits [..., vocabulary] from those [..., frequent] of a step and the states [..., width] behind them."""
        fed = {"normed": states.reshape(1, -1, states.shape[-1])}
        rare = self._rare.run(None, fed)[0].reshape(*frequent.shape[:-1], -1)
        out: Floats = np.concatenate([frequent[..., :FREQUENT], rare], axis=-1)
        for rough, state in zip(out.reshape(-1, out.shape[-1]), fed["normed"][0], strict=True):
            self.refine(rough, state)
        return out

    def refine(self, rough: Floats, state: Floats) -> None:
        """The logits [vocabulary] of what is likely anew, from the vocabulary as it is."""
        never = rough[self._never]
        rough[self._never] = -np.inf
        self._refine(rough, state, self._all)
        rough[self._never] = never
        rough[self._no_speech] = self._embedding[self._no_speech] @ state

    def _refine(self, rough: Floats, state: Floats, tokens: npt.NDArray[np.int64]) -> None:
        likely = np.flatnonzero(rough > rough.max() - LIKELY)
        rough[likely] = self._embedding[tokens[likely]] @ state

    def _chance(self, following: Floats) -> float:
        """The log probability of the likeliest."""
        return -float(np.log(np.exp(following - following.max()).sum()))

    def _chances(self, following: Floats) -> Floats:
        """Log probability of each token that may come next, a row for each of ``following``."""
        following[:, self._never] = -np.inf
        return _log_softmax(following)


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


def _log_softmax(logits: Floats) -> Floats:
    most = logits.max(axis=-1, keepdims=True)
    out: Floats = logits - (most + np.log(np.exp(logits - most).sum(axis=-1, keepdims=True)))
    return out


def _best(totals: Floats, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and tokens of the largest, the largest first."""
    flat = totals.ravel()
    near = np.flatnonzero(flat > flat.max() - NEAR)
    if len(near) < count:
        near = np.argpartition(flat, -count)[-count:]
    largest = near[np.argsort(-flat[near], kind="stable")][:count]
    rows, heads = np.divmod(largest, totals.shape[1])
    return rows, heads
