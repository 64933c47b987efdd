"""Whisper's decoder as ONNX graphs in 8 bits, made at start from the weights that CTranslate2 reads.

CTranslate2 leaves small matrix products on AMD (and any processor without MKL's favour) to oneDNN, which packs all
weights anew at each step: 3 ms a token for tiny.en. onnxruntime packs them once: 0.8 ms for the same products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from onnx import helper

from services.transcriber.adapters.ctranslate2_weights import HEAD, layers_of
from services.transcriber.adapters.onnx_graph import MICROSOFT, Floats, Graph

FINE_BLOCK = 32
"""Neighbours in a column of a weight in 4 bits that share a scale."""


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """Layers, width of a state, heads of an attention."""

    layers: int
    width: int
    heads: int


def shape_of(state: Mapping[str, Floats]) -> DecoderShape:
    """From OpenAI's names (``openai_state``)."""
    width = state["decoder.token_embedding.weight"].shape[1]
    return DecoderShape(layers_of(state, "decoder"), width, width // HEAD)


def cross_graph(state: Mapping[str, Floats]) -> bytes:
    """``states`` [1, n, width] to ``cross_k0, cross_v0, …`` [1, heads, n, 64]."""
    shape, graph = shape_of(state), Graph("cross")
    graph.constant("heads", np.array([0, 0, shape.heads, HEAD], dtype=np.int64))
    rounded = graph.rounded("states", one=True)
    outputs = []
    for layer in range(shape.layers):
        for part, name in (("k", "key"), ("v", "value")):
            source = f"decoder.blocks.{layer}.cross_attn.{name}"
            made = graph.by_rows(rounded, state[f"{source}.weight"], state.get(f"{source}.bias"))
            apart = graph.node("Reshape", [made, "heads"])
            outputs.append(graph.node("Transpose", [apart], f"cross_{part}{layer}", perm=[0, 2, 1, 3]))
    return graph.model({"states": [1, "n", shape.width]}, outputs)


class Products(StrEnum):
    """How a step multiplies: for many rows or tokens; for one or a few; for those in 4 bits, where the answer is looked
    at again. Each rounds in another way.
    """

    WIDE = "wide"
    NARROW = "narrow"
    ROUGH = "rough"


def step_graph(state: Mapping[str, Floats], products: Products) -> bytes:
    """One step of one audio for all rows at once, a row being one hypothesis.

    Inputs: ``embedded`` [rows, tokens, width], ``past_k0, past_v0, …`` [rows, heads, past, 64], ``cross_graph``'s
    outputs; ``weight`` [n], the logarithm of how many positions each of the audio's states stands for; ``wanted``
    [any], the tokens of which is asked what follows. Outputs: ``normed`` [rows, wanted, width], which the vocabulary is
    multiplied by; ``present_k0, …``; of the wide graph also ``asked0, …`` [rows, tokens, width], which each layer looks
    for in the audio.
    """
    shape, graph = shape_of(state), _Steps(products)
    graph.constant("as one", np.array([1, -1, shape.width], dtype=np.int64))
    by_row = graph.node("Shape", ["embedded"])
    size = graph.node("Shape", [graph.node("Reshape", ["embedded", "as one"])], start=1, end=2)
    weights = graph.weighted(size, "weight")
    x = "embedded"
    outputs, queries = ["normed"], []
    inputs: dict[str, list[int | str]] = {"embedded": ["rows", "tokens", shape.width], "weight": ["n"]}
    for layer in range(shape.layers):
        block = f"decoder.blocks.{layer}"
        attended = _self_attention(graph, state, shape, block, graph.norm(x, state, f"{block}.attn_ln"), layer)
        x = graph.node("Add", [x, attended])
        query = graph.linear(graph.norm(x, state, f"{block}.cross_attn_ln"), state, f"{block}.cross_attn.query")
        if products is Products.WIDE:
            queries.append(graph.node("Identity", [query], f"asked{layer}"))
        sources = [graph.node("Reshape", [query, "as one"]), f"cross_k{layer}", f"cross_v{layer}", "", "", weights]
        heard = graph.node("MultiHeadAttention", sources, domain=MICROSOFT, num_heads=shape.heads)
        heard = graph.linear(graph.node("Reshape", [heard, by_row]), state, f"{block}.cross_attn.out")
        x = graph.node("Add", [x, heard])
        inner = graph.linear(graph.norm(x, state, f"{block}.mlp_ln"), state, f"{block}.mlp.0")
        x = graph.node("Add", [x, graph.linear(graph.node("Gelu", [inner], domain=MICROSOFT), state, f"{block}.mlp.2")])
        for part in ("k", "v"):
            inputs[f"past_{part}{layer}"] = ["rows", shape.heads, "past", HEAD]
            inputs[f"cross_{part}{layer}"] = [1, shape.heads, "n", HEAD]
            outputs.append(f"present_{part}{layer}")
    graph.norm(graph.node("Gather", [x, "wanted"], axis=1), state, "decoder.ln", "normed")
    return graph.model(inputs, [*outputs, *queries], indices=["wanted"])


def vocabulary_graph(vocabulary: Floats, *, rough: bool) -> bytes:
    """``normed`` [rows, wanted, width] to ``logits`` [rows, wanted, tokens] of a vocabulary [tokens, width].

    ``rough``: from 4 bits a weight, for a row or a few: then nearly all of the time goes into reading them.
    """
    graph = Graph("vocabulary")
    if rough:
        graph.by_blocks("normed", vocabulary, None, "logits", bits=4)
    else:
        graph.node("Identity", [graph.by_rows(graph.rounded("normed"), vocabulary)], "logits")
    return graph.model({"normed": ["rows", "wanted", vocabulary.shape[1]]}, ["logits"])


class _Steps(Graph):
    def __init__(self, products: Products) -> None:
        super().__init__("decoder")
        self._products = products

    def product(self, x: str, weight: Floats, bias: Floats | None = None) -> str:
        match self._products:
            case Products.WIDE:
                return self.by_rows(self.rounded(x), weight, bias)
            case Products.NARROW:
                return self.by_blocks(x, weight, bias)
            case Products.ROUGH:
                return self.by_blocks(x, weight, bias, bits=4, block=FINE_BLOCK)

    def linear(self, x: str, state: Mapping[str, Floats], name: str) -> str:
        return self.product(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def _self_attention(
    graph: _Steps, state: Mapping[str, Floats], shape: DecoderShape, block: str, normed: str, layer: int
) -> str:
    parts = ("query", "key", "value")
    weight = np.concatenate([state[f"{block}.attn.{part}.weight"] for part in parts])
    zeros = np.zeros(shape.width, dtype=np.float32)
    bias = np.concatenate([state.get(f"{block}.attn.{part}.bias", zeros) for part in parts])
    together = graph.product(normed, weight, bias)
    names = [f"{part}{layer}" for part in parts]
    graph.nodes.append(helper.make_node("Split", [together], names, axis=-1, num_outputs=3))
    attended = f"attended{layer}"
    inputs = [*names, "", "", "", f"past_k{layer}", f"past_v{layer}"]
    outputs = [attended, f"present_k{layer}", f"present_v{layer}"]
    attention: dict[str, Any] = {"domain": MICROSOFT, "num_heads": shape.heads, "unidirectional": 1}
    graph.nodes.append(helper.make_node("MultiHeadAttention", inputs, outputs, **attention))
    return graph.linear(attended, state, f"{block}.attn.out")
