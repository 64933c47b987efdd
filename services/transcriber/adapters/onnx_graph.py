"""An ONNX graph node by node, for a Whisper's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Floats = npt.NDArray[np.float32]
OPSET = 18
IR = 9
MICROSOFT = "com.microsoft"
"""Domain of onnxruntime's own operators."""
SLOWER_TOGETHER = "SkipLayerNormFusion"
"""What onnxruntime makes of an addition and a layer norm takes five times as long as both."""
BLOCK = 128
"""Neighbours in a column of a weight that share a scale."""


@dataclass(frozen=True, slots=True)
class Rounded:
    """Names of a tensor's rounded rows, and of their scales."""

    values: str
    scale: str


class Graph:
    """Nodes and constants; names are given as they come."""

    def __init__(self, name: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._title = name
        self._constants: list[onnx.TensorProto] = []
        self._rounds = self._shifts = False

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

    def norm(self, x: str, state: Mapping[str, Floats], name: str, output: str = "") -> str:
        """Layer norm."""
        scale, bias = (self.constant(f"{name}.{part}", state[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", [x, scale, bias], output, epsilon=1e-5)

    def neighbours(self, x: str, stride: int) -> str:
        """Of ``x`` [n, rows, width] each ``stride``-th row between those before and behind it: [n, …, 3 * width].

        What is missing at the ends is zero. So a convolution is a product, for which there are better kernels.
        """
        if not self._shifts:
            self._shifts = True
            self.constant("shift.ends", np.array([0, 1, 0, 0, 1, 0], dtype=np.int64))
            self.constant("shift.axis", np.array([1], dtype=np.int64))
            for number in range(3):
                self.constant(f"shift.{number}", np.array([number], dtype=np.int64))
        rows = self.node("Shape", [x], start=1, end=2)
        padded = self.node("Pad", [x, "shift.ends"])
        step = self.constant(f"{padded}.stride", np.array([stride], dtype=np.int64))
        shifted = [
            self.node("Slice", [padded, first, self.node("Add", [rows, first]), "shift.axis", step])
            for first in ("shift.0", "shift.1", "shift.2")
        ]
        return self.node("Concat", shifted, axis=-1)

    def rounded(self, x: str, *, one: bool = False, above: float = 0.0) -> Rounded:
        """Rows in 8 bits around 128, as onnxruntime multiplies unsigned by signed; and a scale a row.

        ``one``: x is [1, rows, width]. ``above``: no value lies below its negative. Both save time.
        """
        if not self._rounds:
            self._rounds = True
            self.constant("round.last", np.array([-1], dtype=np.int64))
            self.constant("round.zero", np.array(128, dtype=np.uint8))
            for name, value in (("one", 1.0), ("step", 1 / 127), ("finest", 1e-9)):
                self.constant(f"round.{name}", np.array(value, dtype=np.float32))
        most = self.node("ReduceMax", [x if above else self.node("Abs", [x]), "round.last"], keepdims=1)
        finest = self.constant(f"{most}.finest", np.array(above / 127, dtype=np.float32)) if above else "round.finest"
        scale = self.node("Max", [self.node("Mul", [most, "round.step"]), finest])
        if one:
            scales = self.node("Reshape", [scale, "round.last"])
            middle = helper.make_tensor("middle", TensorProto.UINT8, [1], [128])
            zeros = self.node("ConstantOfShape", [self.node("Shape", [scales])], value=middle)
            return Rounded(self.node("QuantizeLinear", [x, scales, zeros], axis=1), scale)
        scaled = self.node("Mul", [x, self.node("Reciprocal", [scale])])
        return Rounded(self.node("QuantizeLinear", [scaled, "round.one", "round.zero"]), scale)

    def by_rows(
        self, x: Rounded, weight: Floats, bias: Floats | None = None, output: str = "", *, signed: bool | None = None
    ) -> str:
        """``x @ weight.T + bias``; the weight, [out, in], is rounded by columns: the fastest for many rows.

        ``signed``: the weight's bytes, else around 128 like the rows'; as this processor has it right where not given.
        """
        columns, scales = rounded_columns(weight)
        name, zeros = self._name(), ["round.zero"]
        if not (sums_signed() if signed is None else signed):
            columns, zeros = columns.view(np.uint8) ^ 0x80, ["round.zero", "round.zero"]
        inputs = [x.values, self.constant(f"{name}.w", columns), "round.one", self.constant(f"{name}.s", scales)]
        product = self.node("MatMulIntegerToFloat", inputs + zeros, domain=MICROSOFT)
        if bias is None:
            return self.node("Mul", [product, x.scale], output)
        return self.node("Add", [self.node("Mul", [product, x.scale]), self.constant(f"{name}.b", bias)], output)

    def by_blocks(
        self,
        x: str,
        weight: Floats,
        bias: Floats | None = None,
        output: str = "",
        *,
        bits: int = 8,
        block: int = BLOCK,
    ) -> str:
        """``x @ weight.T + bias``; the weight, [out, in], is rounded in blocks: the fastest for a row or a few."""
        output = output or self._name()
        values, scales = rounded_blocks(weight, bits, block)
        inputs = [x, self.constant(f"{output}.w", values), self.constant(f"{output}.s", scales)]
        if bias is not None:
            inputs += ["", "", self.constant(f"{output}.b", bias)]
        out, width = weight.shape
        shape: dict[str, Any] = {"K": width, "N": out, "bits": bits, "block_size": block}
        return self.node("MatMulNBits", inputs, output, domain=MICROSOFT, accuracy_level=4, **shape)

    def weighted(self, queries: str, weights: str) -> str:
        """What an attention adds to its scores, [1, 1, queries, keys]: ``weights`` of the keys, for as many as
        ``queries`` [1] says.
        """
        ones = self.constant(f"{self._name()}.ones", np.array([1, 1], dtype=np.int64))
        keys = self.node("Shape", [weights])
        return self.node("Expand", [weights, self.node("Concat", [ones, queries, keys], axis=0)])

    def model(self, inputs: Mapping[str, list[int | str]], outputs: list[str], *, indices: Sequence[str] = ()) -> bytes:
        """All of it, with shapes of the inputs, where names stand for what varies; ``indices`` [any] are integers."""
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
        given += [helper.make_tensor_value_info(name, TensorProto.INT64, [f"{name}s"]) for name in indices]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, self._title, given, made, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=IR).SerializeToString()
        return data


def rounded_columns(weight: Floats) -> tuple[npt.NDArray[Any], Floats]:
    """A matrix [out, in] in 8 bits: [in, out], and a scale a column."""
    scales = np.maximum(np.abs(weight).max(axis=1) / 127, 1e-12).astype(np.float32)
    return np.ascontiguousarray(np.rint(weight / scales[:, np.newaxis]).T.astype(np.int8)), scales


def rounded_blocks(weight: Floats, bits: int = 8, block: int = BLOCK) -> tuple[npt.NDArray[np.uint8], Floats]:
    """A matrix [out, in] in 8 or 4 bits around 128 or 8: [out, blocks, bytes], and a scale a block."""
    out, width = weight.shape
    blocks = weight.reshape(out, width // block, block)
    middle = 1 << (bits - 1)
    scales = np.maximum(np.abs(blocks).max(axis=-1) / (middle - 1), 1e-12).astype(np.float32)
    rounded = (np.rint(blocks / scales[..., np.newaxis]) + middle).astype(np.uint8)
    if bits == 4:
        rounded = rounded[..., ::2] | rounded[..., 1::2] << 4
    return rounded, scales.reshape(-1)


def session(graph: bytes) -> onnxruntime.InferenceSession:
    """A graph ready to run on the caller's thread; several may."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=[SLOWER_TOGETHER]
    )


@cache
def sums_signed() -> bool:
    """Whether this processor keeps the sums of unsigned by signed bytes: without VNNI onnxruntime's are cut off.

    Those of unsigned by unsigned are whole everywhere, for a fifth more time.
    """
    graph, ones = Graph("probe"), np.ones((16, 64), dtype=np.float32)
    graph.node("Identity", [graph.by_rows(graph.rounded("x"), ones, signed=True)], "y")
    (found,) = session(graph.model({"x": ["rows", 64]}, ["y"])).run(None, {"x": ones})
    return bool(np.allclose(found, 64, rtol=1e-3))
