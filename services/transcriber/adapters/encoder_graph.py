"""Whisper's encoder as ONNX graphs in 8 bits, one a layer, for windows that end with the speech.

The encoder has learned to run over 30 s, of which most is silence. Here only the speech and a little behind it is
computed; the rest of the 30 s is there all the same, as keys and values that every layer's attention may look at. They
are the model's own, made once from real speech followed by silence (``silence_tail``), every ``STRIDE``-th of them,
each counting for as many positions as it stands for. So the states are nearly those of the full window.

What a key counts for stands in the key itself, which is a little longer for it: every query has a one there. Without
anything to be added to its scores, onnxruntime's attention works in blocks that stay in the processor's cache.

Weights are rounded by columns, activations by rows, so that a loud moment does not coarsen the quiet ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from services.transcriber.adapters.ctranslate2_weights import HEAD, layers_of
from services.transcriber.adapters.onnx_graph import MICROSOFT, Floats, Graph

KEY = HEAD + 4
"""Values of a head's key: behind its own what it counts for, and nothing (at this width attention is fastest)."""
SHARPNESS = HEAD**-0.5
LEAST_GELU = 0.17
"""A GELU never goes further below zero."""


def window_graph(state: Mapping[str, Floats]) -> bytes:
    """``mel`` [1, mels, frames] (an even number) to ``x`` [1, frames / 2, width], by OpenAI's names.

    ``first`` [1] is the position of the first of them.
    """
    graph = Graph("window")
    graph.node("Identity", [_convolved(graph, state)], "x")
    return graph.model({"mel": [1, state["encoder.conv1.weight"].shape[1], "frames"]}, ["x"], indices=["first"])


def layer_graph(state: Mapping[str, Floats], layer: int) -> bytes:
    """``before`` [1, n, width] to ``x`` of the same shape, the states behind the last layer; and its own ``k``, ``v``.

    ``tail_k`` [1, tail, heads * KEY] and ``tail_v`` [1, tail, width] come behind the states' own keys and values, each
    counting for what ``weighted`` has given it.
    """
    graph, block, width = Graph("layer"), f"encoder.blocks.{layer}", state["encoder.conv1.weight"].shape[0]
    rounded = graph.rounded(graph.norm("before", state, f"{block}.attn_ln"), one=True)
    query = graph.by_rows(rounded, *_longer(state, f"{block}.attn.query", one=1.0))
    graph.by_rows(rounded, *_longer(state, f"{block}.attn.key"), "k")
    graph.by_rows(rounded, state[f"{block}.attn.value.weight"], None, "v")
    keys, values = (graph.node("Concat", [name, f"tail_{name}"], axis=1) for name in ("k", "v"))
    attended = graph.node(
        "MultiHeadAttention", [query, keys, values], domain=MICROSOFT, num_heads=width // HEAD, scale=SHARPNESS
    )
    # What is added to all values is added to what is attended.
    out = state[f"{block}.attn.out.weight"]
    moved = state[f"{block}.attn.out.bias"] + out @ state[f"{block}.attn.value.bias"]
    x = graph.node("Add", ["before", graph.by_rows(graph.rounded(attended, one=True), out, moved)])
    normed = graph.rounded(graph.norm(x, state, f"{block}.mlp_ln"), one=True)
    bias = graph.constant(f"{block}.mlp.0.bias", state[f"{block}.mlp.0.bias"])
    wide = graph.by_rows(normed, state[f"{block}.mlp.0.weight"])
    active = graph.rounded(graph.node("FastGelu", [wide, bias], domain=MICROSOFT), one=True, above=LEAST_GELU)
    last = layer + 1 == layers_of(state, "encoder")
    made = graph.by_rows(active, state[f"{block}.mlp.2.weight"], state[f"{block}.mlp.2.bias"])
    x = graph.node("Add", [x, made], "" if last else "x")
    if last:
        graph.norm(x, state, "encoder.ln_post", "x")
    inputs: dict[str, list[int | str]] = {"before": [1, "n", width]}
    inputs |= {"tail_k": [1, "tail", width // HEAD * KEY], "tail_v": [1, "tail", width]}
    return graph.model(inputs, ["x", "k", "v"])


def weighted(keys: Floats, weight: float) -> Floats:
    """Keys [1, positions, heads * KEY], each counting for as many positions as ``weight`` is the logarithm of."""
    out = keys.copy()
    out[:, :, HEAD::KEY] = weight / SHARPNESS
    return out


def _longer(state: Mapping[str, Floats], name: str, *, one: float = 0.0) -> tuple[Floats, Floats | None]:
    """A projection to heads of ``KEY``, its last columns nothing but for a first of ``one``."""
    weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
    apart = weight.reshape(-1, HEAD, weight.shape[1])
    longer = np.pad(apart, ((0, 0), (0, KEY - HEAD), (0, 0))).reshape(-1, weight.shape[1])
    if bias is None:
        return longer, None
    biases = np.pad(bias.reshape(-1, HEAD), ((0, 0), (0, KEY - HEAD)))
    biases[:, HEAD] = one
    return longer, biases.reshape(-1)


def _convolved(graph: Graph, state: Mapping[str, Floats]) -> str:
    """The two convolutions as products of three neighbouring rows, and the positions."""
    x = graph.node("Transpose", ["mel"], perm=[0, 2, 1])
    for conv, stride in (("conv1", 1), ("conv2", 2)):
        weight = state[f"encoder.{conv}.weight"]
        bias = graph.constant(f"{conv}.bias", state[f"encoder.{conv}.bias"])
        rows = weight.transpose(0, 2, 1).reshape(weight.shape[0], -1)
        made = graph.by_rows(graph.rounded(graph.neighbours(x, stride), one=True), rows)
        x = graph.node("FastGelu", [made, bias], domain=MICROSOFT)
    positions = graph.constant("positions", state["encoder.positional_embedding"])
    end = graph.node("Add", ["first", graph.node("Shape", [x], start=1, end=2)])
    graph.constant("first axis", np.array([0], dtype=np.int64))
    return graph.node("Add", [x, graph.node("Slice", [positions, "first", end, "first axis"])])
