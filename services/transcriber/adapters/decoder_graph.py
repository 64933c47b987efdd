"""Whisper's decoder as ONNX graphs in 8 bits, made at start from the weights that CTranslate2 reads.

CTranslate2 leaves small matrix products on AMD (and any processor without MKL's favour) to oneDNN, which packs all
weights anew at each step: 3 ms a token for tiny.en. onnxruntime packs them once: 0.8 ms for the same products.

Weights are rounded by columns in blocks of ``BLOCK``; activations are rounded row by row inside the product
(``accuracy_level`` 4), so that what is decoded does not depend on its company in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from services.transcriber.adapters.ctranslate2_weights import HEAD, layers_of

Floats = npt.NDArray[np.float32]
BLOCK = 128
OPSET = 18
IR = 9
DOMAIN = "com.microsoft"


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
    """``states`` [audios, n, width] to ``cross_k0, cross_v0, …`` [audios, heads, n, 64]."""
    shape, graph = shape_of(state), Graph()
    graph.constant("heads", np.array([0, 0, shape.heads, HEAD], dtype=np.int64))
    outputs = []
    for layer in range(shape.layers):
        for part, name in (("k", "key"), ("v", "value")):
            made = graph.linear("states", state, f"decoder.blocks.{layer}.cross_attn.{name}")
            apart = graph.node("Reshape", [made, "heads"])
            graph.node("Transpose", [apart], f"cross_{part}{layer}", perm=[0, 2, 1, 3])
            outputs.append(f"cross_{part}{layer}")
    return graph.model({"states": ["audios", "n", shape.width]}, outputs)


def step_graph(state: Mapping[str, Floats]) -> bytes:
    """One step for all rows at once, a row being one hypothesis of one audio, an audio's rows side by side.

    Inputs: ``embedded`` [rows, tokens, width], ``past_k0, past_v0, …`` [rows, heads, past, 64], and ``cross_graph``'s
    outputs, one an audio and not one a row. Outputs: ``logits`` [rows, tokens, vocabulary], ``present_k0, …``.
    """
    shape, graph = shape_of(state), Graph()
    graph.constant("width", np.array([shape.width], dtype=np.int64))
    graph.constant("rest", np.array([-1], dtype=np.int64))
    audios = graph.node("Shape", ["cross_k0"], end=1)
    graph.node("Concat", [audios, "rest", "width"], "by_audio", axis=0)
    graph.node("Shape", ["embedded"], "by_row")
    blocks = "decoder.blocks"
    x = "embedded"
    normed = graph.norm(x, state, f"{blocks}.0.attn_ln")
    outputs = ["logits"]
    inputs: dict[str, list[int | str]] = {"embedded": ["rows", "tokens", shape.width]}
    for layer in range(shape.layers):
        block = f"{blocks}.{layer}"
        attended = _self_attention(graph, state, shape, block, normed, layer)
        x, normed = graph.skip_norm(x, attended, state, f"{block}.cross_attn_ln")
        query = graph.linear(normed, state, f"{block}.cross_attn.query")
        heard = graph.node(
            "MultiHeadAttention",
            [graph.node("Reshape", [query, "by_audio"]), f"cross_k{layer}", f"cross_v{layer}"],
            domain=DOMAIN, num_heads=shape.heads,
        )  # fmt: skip
        heard = graph.linear(graph.node("Reshape", [heard, "by_row"]), state, f"{block}.cross_attn.out")
        x, normed = graph.skip_norm(x, heard, state, f"{block}.mlp_ln")
        wide = graph.node("Gelu", [graph.linear(normed, state, f"{block}.mlp.0")], domain=DOMAIN)
        narrow = graph.linear(wide, state, f"{block}.mlp.2")
        following = f"{blocks}.{layer + 1}.attn_ln" if layer + 1 < shape.layers else "decoder.ln"
        x, normed = graph.skip_norm(x, narrow, state, following)
        for part in ("k", "v"):
            inputs[f"past_{part}{layer}"] = ["rows", shape.heads, "past", HEAD]
            inputs[f"cross_{part}{layer}"] = ["audios", shape.heads, "n", HEAD]
            outputs.append(f"present_{part}{layer}")
    graph.product(normed, state["decoder.token_embedding.weight"], None, "logits")
    return graph.model(inputs, outputs)


def _self_attention(
    graph: Graph, state: Mapping[str, Floats], shape: DecoderShape, block: str, normed: str, layer: int
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
    attention: dict[str, Any] = {"domain": DOMAIN, "num_heads": shape.heads, "unidirectional": 1}
    graph.nodes.append(helper.make_node("MultiHeadAttention", inputs, outputs, **attention))
    return graph.linear(attended, state, f"{block}.attn.out")


class Graph:
    """Nodes and constants; names are given as they come."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def _name(self) -> str:
        return f"t{len(self.nodes)}"

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """A tensor by its name."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """One operator's only output."""
        output = output or self._name()
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def norm(self, x: str, state: Mapping[str, Floats], name: str) -> str:
        """Layer norm."""
        scale, bias = (self.constant(f"{name}.{part}", state[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", [x, scale, bias], epsilon=1e-5)

    def skip_norm(self, x: str, added: str, state: Mapping[str, Floats], name: str) -> tuple[str, str]:
        """The sum, and the norm of the sum."""
        scale, bias = (self.constant(f"{name}.{part}", state[f"{name}.{part}"]) for part in ("weight", "bias"))
        normed = self._name()
        total = f"{normed}.sum"
        self.nodes.append(
            helper.make_node(
                "SkipLayerNormalization", [x, added, scale, bias], [normed, "", "", total], domain=DOMAIN, epsilon=1e-5
            )
        )
        return total, normed

    def linear(self, x: str, state: Mapping[str, Floats], name: str) -> str:
        """A layer of the model, by its name."""
        return self.product(x, state[f"{name}.weight"], state.get(f"{name}.bias"))

    def product(self, x: str, weight: Floats, bias: Floats | None, output: str = "") -> str:
        """``x @ weight.T + bias``; the weight, [out, in], is rounded."""
        output = output or self._name()
        rounded, scales = rounded_blocks(weight)
        inputs = [x, self.constant(f"{output}.w", rounded), self.constant(f"{output}.s", scales)]
        if bias is not None:
            inputs += ["", "", self.constant(f"{output}.b", bias)]
        out, width = weight.shape
        return self.node(
            "MatMulNBits", inputs, output, domain=DOMAIN, K=width, N=out, bits=8, block_size=BLOCK, accuracy_level=4
        )

    def model(self, inputs: Mapping[str, list[int | str]], outputs: list[str]) -> bytes:
        """All of it, with shapes of the inputs: names stand for what varies."""
        graph = helper.make_graph(
            self.nodes, "decoder",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self._constants,
        )  # fmt: skip
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=IR).SerializeToString()
        return data


def rounded_blocks(weight: Floats) -> tuple[npt.NDArray[np.uint8], Floats]:
    """A matrix [out, in] in 8 bits around 128: [out, blocks, BLOCK], and a scale a block."""
    out, width = weight.shape
    blocks = weight.reshape(out, width // BLOCK, BLOCK)
    scales = np.maximum(np.abs(blocks).max(axis=-1) / 127, 1e-12).astype(np.float32)
    rounded = np.rint(blocks / scales[..., np.newaxis]) + 128
    return rounded.astype(np.uint8), scales.reshape(-1)
