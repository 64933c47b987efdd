"""Products of our graphs: rounded, and near."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from services.transcriber.adapters.onnx_graph import BLOCK, Graph, rounded_blocks, session, sums_signed


@pytest.mark.parametrize("signed", sorted({False, sums_signed()}))
def test_large_sums_of_a_product_are_whole(signed: bool) -> None:
    graph, ones = Graph("ones"), np.ones((16, 1_536), dtype=np.float32)
    graph.node("Identity", [graph.by_rows(graph.rounded("x"), ones, signed=signed)], "y")
    (found,) = session(graph.model({"x": ["rows", 1_536]}, ["y"])).run(None, {"x": ones})
    assert found == pytest.approx(1_536, rel=1e-5)


@pytest.mark.parametrize("product", ["rows", "blocks"])
def test_rounded_products_are_near_and_a_row_does_not_depend_on_the_others(product: str) -> None:
    chance = np.random.default_rng(1)
    weight = chance.normal(size=(96, 2 * BLOCK)).astype(np.float32)
    bias = chance.normal(size=96).astype(np.float32)
    rows = chance.normal(size=(5, 2 * BLOCK)).astype(np.float32)
    rows[3] *= 1_000
    graph = Graph("products")
    if product == "blocks":
        graph.by_blocks("x", weight, bias, "y")
    else:
        graph.node("Identity", [graph.by_rows(graph.rounded("x"), weight, bias)], "y")
    run = onnxruntime.InferenceSession(graph.model({"x": ["rows", 2 * BLOCK]}, ["y"])).run
    together = run(None, {"x": rows})[0]
    exact = rows @ weight.T + bias
    assert (np.abs(together - exact).max(axis=1) < 0.03 * np.abs(exact).max(axis=1)).all()
    for number, row in enumerate(rows):
        assert run(None, {"x": row[np.newaxis]})[0][0] == pytest.approx(together[number], rel=1e-4, abs=1e-3)


def test_weights_are_rounded_to_half_a_step_of_their_block() -> None:
    weight = np.random.default_rng(2).normal(size=(8, 3 * BLOCK)).astype(np.float32)
    weight[2, :BLOCK] = 0
    rounded, scales = rounded_blocks(weight)
    apart = (rounded.astype(np.float32) - 128) * scales.reshape(8, 3, 1) - weight.reshape(8, 3, BLOCK)
    assert (np.abs(apart) <= scales.reshape(8, 3, 1) * 0.51).all()
