"""Whisper's encoder as an ONNX graph in 8 bits, for windows that end with the speech.

The encoder has learned to run over 30 s, of which most is silence. Here only the speech and a little behind it is
computed; the rest of the 30 s is there all the same, as keys and values that every layer's attention may look at. They
are the model's own, made once from real speech followed by silence (``silence_tail``), every ``STRIDE``-th of them,
each counting for as many positions as it stands for. So the states are nearly those of the full window.

Weights are rounded by columns, activations by rows, so that a loud moment does not coarsen the quiet ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from services.transcriber.adapters.ctranslate2_weights import HEAD, layers_of
from services.transcriber.adapters.onnx_graph import MICROSOFT, Floats, Graph, Rounded

PARTS = ("query", "key", "value")


def encoder_graph(state: Mapping[str, Floats], *, telling: bool = False) -> bytes:
    """``mel`` [1, mels, frames] (an even number) to ``states`` [1, frames / 2, width], by OpenAI's names.

    Further inputs, one of each a layer: ``tail_k0, tail_v0, …`` [1, tail, width], which come behind the states' own
    keys and values, and for all ``tail_weight`` [tail], the logarithm of what each counts for. A ``telling`` graph also
    answers with its own, ``k0, v0, …``.
    """
    graph = Graph("encoder")
    x = _convolved(graph, state)
    width, mels = state["encoder.conv1.weight"].shape[:2]
    layers = layers_of(state, "encoder")
    own = graph.node("Shape", [x], start=1, end=2)
    weights = graph.weighted(own, "tail_weight", own)
    inputs: dict[str, list[int | str]] = {"mel": [1, mels, "frames"], "tail_weight": ["tail"]}
    outputs = ["states"]
    for layer in range(layers):
        block = f"encoder.blocks.{layer}"
        rounded = graph.rounded(graph.norm(x, state, f"{block}.attn_ln"))
        query, key, value = (_linear(graph, rounded, state, f"{block}.attn.{part}") for part in PARTS)
        if telling:
            outputs += [graph.node("Identity", [key], f"k{layer}"), graph.node("Identity", [value], f"v{layer}")]
        keys = graph.node("Concat", [key, f"tail_k{layer}"], axis=1)
        values = graph.node("Concat", [value, f"tail_v{layer}"], axis=1)
        inputs |= {f"tail_{part}{layer}": [1, "tail", width] for part in ("k", "v")}
        attended = graph.node(
            "MultiHeadAttention", [query, keys, values, "", "", weights], domain=MICROSOFT, num_heads=width // HEAD
        )
        x = graph.node("Add", [x, _linear(graph, graph.rounded(attended), state, f"{block}.attn.out")])
        normed = graph.rounded(graph.norm(x, state, f"{block}.mlp_ln"))
        bias = graph.constant(f"{block}.mlp.0.bias", state[f"{block}.mlp.0.bias"])
        wide = graph.by_rows(normed, state[f"{block}.mlp.0.weight"])
        active = graph.rounded(graph.node("BiasGelu", [wide, bias], domain=MICROSOFT))
        x = graph.node("Add", [x, _linear(graph, active, state, f"{block}.mlp.2")])
    graph.norm(x, state, "encoder.ln_post", "states")
    return graph.model(inputs, outputs)


def _convolved(graph: Graph, state: Mapping[str, Floats]) -> str:
    """The two convolutions as products of three neighbouring rows, and the positions."""
    graph.constant("ends", np.array([0, 1, 0, 0, 1, 0], dtype=np.int64))
    graph.constant("axis", np.array([1], dtype=np.int64))
    for number in range(3):
        graph.constant(f"at{number}", np.array([number], dtype=np.int64))
    x = graph.node("Transpose", ["mel"], perm=[0, 2, 1])
    for conv, stride in (("conv1", 1), ("conv2", 2)):
        width = graph.node("Shape", [x], start=1, end=2)
        padded = graph.node("Pad", [x, "ends"])
        graph.constant(f"{conv}.stride", np.array([stride], dtype=np.int64))
        shifted = [
            graph.node(
                "Slice", [padded, f"at{number}", graph.node("Add", [width, f"at{number}"]), "axis", f"{conv}.stride"]
            )
            for number in range(3)
        ]
        weight = state[f"encoder.{conv}.weight"]
        bias = graph.constant(f"{conv}.bias", state[f"encoder.{conv}.bias"])
        rows = weight.transpose(0, 2, 1).reshape(weight.shape[0], -1)
        made = graph.by_rows(graph.rounded(graph.node("Concat", shifted, axis=-1)), rows)
        x = graph.node("BiasGelu", [made, bias], domain=MICROSOFT)
    positions = graph.constant("positions", state["encoder.positional_embedding"])
    length = graph.node("Shape", [x], start=1, end=2)
    graph.constant("first axis", np.array([0], dtype=np.int64))
    return graph.node("Add", [x, graph.node("Slice", [positions, "at0", length, "first axis"])])


def _linear(graph: Graph, x: Rounded, state: Mapping[str, Floats], name: str) -> str:
    return graph.by_rows(x, state[f"{name}.weight"], state.get(f"{name}.bias"))
