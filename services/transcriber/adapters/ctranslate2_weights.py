"""A CTranslate2 Whisper in float16 as tensors by the names that OpenAI's own code gives them: nothing is lost.

The file: a version, the specification's name and revision, then each variable's name, shape, type and bytes, all
little-endian. CTranslate2 keeps a self-attention's query, key and value as one matrix, and a cross-attention's key and
value as another.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.chassis.errors import SettingError

Tensor = npt.NDArray[Any]
HEAD = 64
"""Width of one head of an attention, in every Whisper."""
VERSION = 6
TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def read_variables(model_bin: Path) -> dict[str, Tensor]:
    """By CTranslate2's names. Raises SettingError for another version of the file, or numbers of another type."""
    data = model_bin.read_bytes()
    at = 0

    def take(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(form, data, at)
        at += struct.calcsize(form)
        return int(value)

    def text() -> str:
        nonlocal at
        size = take("<H")
        at += size
        return data[at - size : at - 1].decode()

    version = take("<I")
    if version != VERSION:
        raise SettingError(f"TRANSCRIBER_MODEL_DIR: {model_bin} has format {version}, only {VERSION} can be converted")
    text()
    take("<I")
    out: dict[str, Tensor] = {}
    for _ in range(take("<I")):
        name = text()
        shape = [take("<I") for _ in range(take("<B"))]
        kind, size = TYPES.get(take("<B")), take("<I")
        if kind is None:
            raise SettingError(f"TRANSCRIBER_MODEL_DIR: {model_bin} holds {name} in numbers that cannot be converted")
        out[name] = np.frombuffer(data, kind, size // np.dtype(kind).itemsize, at).reshape(shape)
        at += size
    return out


def openai_state(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same under OpenAI's names, in float32."""
    out = dict(_ends(variables))
    for side in ("encoder", "decoder"):
        layer = 0
        while f"{side}/layer_{layer}/ffn/linear_0/weight" in variables:
            out |= _layer(variables, f"{side}/layer_{layer}", f"{side}.blocks.{layer}")
            layer += 1
    return {name: np.array(tensor, dtype=np.float32) for name, tensor in out.items()}


def layers_of(state: Mapping[str, Tensor], side: str) -> int:
    """Layers of the ``encoder`` or the ``decoder``, by OpenAI's names."""
    return len({name.split(".")[2] for name in state if name.startswith(f"{side}.blocks.")})


def _ends(variables: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for conv in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            yield f"encoder.{conv}.{part}", variables[f"encoder/{conv}/{part}"]
    for side, norm in (("encoder", "ln_post"), ("decoder", "ln")):
        yield f"{side}.positional_embedding", variables[f"{side}/position_encodings/encodings"]
        yield f"{side}.{norm}.weight", variables[f"{side}/layer_norm/gamma"]
        yield f"{side}.{norm}.bias", variables[f"{side}/layer_norm/beta"]
    yield "decoder.token_embedding.weight", variables["decoder/embeddings/weight"]


def _layer(variables: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}

    def linear(name: str, source: str, part: int = 0, parts: int = 1, *, bias: bool = True) -> None:
        out[f"{ours}.{name}.weight"] = np.split(variables[f"{theirs}/{source}/weight"], parts)[part]
        if bias:
            out[f"{ours}.{name}.bias"] = np.split(variables[f"{theirs}/{source}/bias"], parts)[part]

    def norm(name: str, source: str) -> None:
        out[f"{ours}.{name}.weight"] = variables[f"{theirs}/{source}/layer_norm/gamma"]
        out[f"{ours}.{name}.bias"] = variables[f"{theirs}/{source}/layer_norm/beta"]

    linear("attn.query", "self_attention/linear_0", 0, 3)
    linear("attn.key", "self_attention/linear_0", 1, 3, bias=False)
    linear("attn.value", "self_attention/linear_0", 2, 3)
    linear("attn.out", "self_attention/linear_1")
    norm("attn_ln", "self_attention")
    if f"{theirs}/attention/linear_0/weight" in variables:
        linear("cross_attn.query", "attention/linear_0")
        linear("cross_attn.key", "attention/linear_1", 0, 2, bias=False)
        linear("cross_attn.value", "attention/linear_1", 1, 2)
        linear("cross_attn.out", "attention/linear_2")
        norm("cross_attn_ln", "attention")
    linear("mlp.0", "ffn/linear_0")
    linear("mlp.2", "ffn/linear_1")
    norm("mlp_ln", "ffn")
    return out
