"""Silero's network as a plain graph over a row of frames, made from the ONNX file that its package ships.

The file's own graph takes one frame a call and decides within by shapes and rates; most of its time goes into that.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from services.chassis.errors import Fatal
from services.transcriber.adapters.onnx_graph import Floats, Graph

HIDDEN = 128
BRANCHES = {16_000: "then_branch", 8_000: "else_branch"}
WINDOWS = 4
"""Of a frame's spectrum, each half over the next."""
STRIDES = (1, 2, 2, 1)
"""Of the convolutions behind the spectrum."""
GATES = (0, 3, 1, 2)
"""PyTorch's gates of an LSTM (input, forget, cell, output) in the order of ONNX (input, output, forget, cell)."""


def voice_graph(path: Path, rate_hz: int) -> bytes:
    """``frames`` [n, context + frame] that follow each other to ``probability`` [n]; ``h``, ``c`` [1, 1, 128] go on.

    Outputs besides: ``next_h``, ``next_c``. Raises Fatal where the file is not the network that is known here.
    """
    weights = _weights(path, rate_hz)
    try:
        return _graph(weights)
    except (KeyError, ValueError) as error:
        raise Fatal(f"{path} is another network than silero-vad 6: {error}") from None


def _graph(weights: Mapping[str, Floats]) -> bytes:
    graph = Graph("voice")
    basis = weights["stft.forward_basis_buffer"]
    bins, size = basis.shape[0] // 2, basis.shape[2]
    parts = {"ends": [0, 0, 0, size // 2], "halves": [0, -1, size // 2], "parts": [bins, bins]}
    places = {"first": [0], "second": [1], "last": [WINDOWS], "behind": [WINDOWS + 1], "one": [1], "all": [-1]}
    for name, value in (parts | places | {"heard": [(WINDOWS + 1) * size // 2]}).items():
        graph.constant(name, np.array(value, dtype=np.int64))
    padded = graph.node("Pad", ["frames", "ends"], mode="reflect")
    halves = graph.node("Reshape", [graph.node("Slice", [padded, "first", "heard", "one"]), "halves"])
    windows = [
        graph.node("Slice", [halves, begin, end, "one"]) for begin, end in (("first", "last"), ("second", "behind"))
    ]
    spectrum = graph.constant("basis", basis[:, 0].T)
    waves = graph.node("MatMul", [graph.node("Concat", windows, axis=-1), spectrum])
    graph.nodes.append(
        helper.make_node("Split", [graph.node("Mul", [waves, waves]), "parts"], ["real", "imaginary"], axis=-1)
    )
    x = graph.node("Sqrt", [graph.node("Add", ["real", "imaginary"])])
    for number, stride in enumerate(STRIDES):
        name = f"encoder.{number}.reparam_conv"
        kernel = weights[f"{name}.weight"].transpose(2, 1, 0)
        weight = graph.constant(f"{name}.weight", kernel.reshape(-1, kernel.shape[-1]))
        bias = graph.constant(f"{name}.bias", weights[f"{name}.bias"])
        made = graph.node("MatMul", [graph.neighbours(x, stride), weight])
        x = graph.node("Relu", [graph.node("Add", [made, bias])])
    inner = [graph.constant(part, _gated(weights[f"decoder.rnn.weight_{part}"])[np.newaxis]) for part in ("ih", "hh")]
    biases = np.concatenate([_gated(weights[f"decoder.rnn.bias_{part}"]) for part in ("ih", "hh")])
    inner.append(graph.constant("bias", biases[np.newaxis]))
    outputs = ["told", "next_h", "next_c"]
    graph.nodes.append(helper.make_node("LSTM", [x, *inner, "", "h", "c"], outputs, hidden_size=HIDDEN))
    active = graph.node("Relu", [graph.node("Squeeze", ["told", "one"])])
    weight = graph.constant("out", weights["decoder.decoder.2.weight"].reshape(1, HIDDEN, 1))
    made = graph.node(
        "Add", [graph.node("MatMul", [active, weight]), graph.constant("b", weights["decoder.decoder.2.bias"])]
    )
    graph.node("Reshape", [graph.node("Sigmoid", [made]), "all"], "probability")
    shapes: dict[str, list[int | str]] = {"frames": ["n", "samples"], "h": [1, 1, HIDDEN], "c": [1, 1, HIDDEN]}
    return graph.model(shapes, ["probability", "next_h", "next_c"])


def _gated(weight: Floats) -> Floats:
    parts = np.split(weight, len(GATES))
    return np.concatenate([parts[gate] for gate in GATES])


def _weights(path: Path, rate_hz: int) -> dict[str, Floats]:
    """By the names that the network's makers gave them."""
    (choice,) = (node for node in onnx.load(str(path)).graph.node if node.op_type == "If")
    (branch,) = (attribute.g for attribute in choice.attribute if attribute.name == BRANCHES[rate_hz])
    constants = (node for node in branch.node if node.op_type == "Constant")
    return {node.output[0].split("__")[-1]: numpy_helper.to_array(node.attribute[0].t) for node in constants}
