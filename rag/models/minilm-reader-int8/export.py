"""Build the bundled reader: the trained network as OpenVINO IR with static int8.

Not run by users. Needs the extra ``models``, what train.py wrote, and the folder of the public
sets to calibrate on::

    python rag/models/minilm-reader-int8/export.py \
        --weights all.safetensors half.safetensors --data ../shared/bench

The graph is written out operation by operation, as the embedder's is. The matrix products with
weights run in int8; those of the attention and of the head stay in floating point.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from examples import cloze_passages, read_nq, read_squad
from network import HEADS, LAYERS, MAX_TOKENS, WIDTH
from tokens import sequence

from rag.models.int8 import quantize, sha256

FOLDER = Path(__file__).resolve().parent
NAME = "minilm-reader-int8"
TOKENIZER = FOLDER.parent / "all-minilm-l6-v2-int8" / "tokenizer.json"
LAYER_NORM_EPSILON = 1e-12
SMOOTHING = 0.7  # as for the embedder
FLOATING = [*(f"{name}.{i}" for i in range(LAYERS) for name in ("scores", "mixed")), "head"]
CALIBRATION_PASSAGES, SEED = 300, 21


def main() -> None:
    """Quantize, and write weights and manifest beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--weights", type=Path, required=True, nargs="+", help="what train.py wrote; their mean"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write")
    parser.add_argument("--fp32", type=Path, help="also write the graph before quantization here")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    import openvino

    model = graph(mean_weights(arguments.weights))
    if arguments.fp32:
        openvino.save_model(model, arguments.fp32, compress_to_fp16=False)
    rows = calibration_rows(arguments.data)
    small = quantize(model, rows, kept=FLOATING, smoothing=SMOOTHING)
    openvino.save_model(small, arguments.out / "model.xml", compress_to_fp16=False)
    manifest = {
        "name": NAME,
        "max_tokens": MAX_TOKENS,
        "licence": "CC-BY-SA-4.0",
        "origin": "sentence-transformers/all-MiniLM-L6-v2, trained on; see CARD.md",
        "tokenizer": {
            "path": f"../{TOKENIZER.parent.name}/tokenizer.json",
            "sha256": sha256(TOKENIZER),
        },
        "weights": {"sha256": [sha256(path) for path in arguments.weights]},
        "built_with": {name: version(name) for name in ("openvino", "nncf", "torch", "tokenizers")},
        "files": {
            path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
            for path in (arguments.out / "model.xml", arguments.out / "model.bin")
        },
    }
    (arguments.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    print(json.dumps(manifest["files"], indent=2))


def calibration_rows(data: Path) -> list[dict[str, Any]]:
    """Return questions with passages as the network takes them: a third of each training set."""
    draw = random.Random(SEED)
    share = CALIBRATION_PASSAGES // 3
    squad, nq = (draw.sample(read(data)[0], share) for read in (read_squad, read_nq))
    pairs = [(asked.question, asked.passages[0]) for asked in (*squad, *nq)]
    news = draw.sample(cloze_passages(data), share)
    pairs += [(asked.question, window) for asked, window in zip(squad, news, strict=True)]
    rows = []
    for question, passage in pairs:
        row = sequence(question, passage)
        rows.append({"input_ids": row.ids[None], "kinds": row.kinds[None]})
    return rows


def mean_weights(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the mean of trained weights by name.

    Trained from the same start, networks lie in one basin, and their mean is often better than
    either (Wortsman et al. 2022, "Model soups").
    """
    from safetensors.numpy import load_file

    trained = [load_file(path) for path in paths]
    return {
        name: np.mean([each[name].astype(np.float32) for each in trained], axis=0)
        for name in trained[0]
    }


def graph(weights: dict[str, Any]) -> Any:
    """Return the fp32 graph: ids and kinds, (batch, tokens), to (batch, tokens, 4).

    An id of 0 is padding. Kinds are 0 for the question, 1 for title and passage, and 2 for a
    token of these that stands in the question too.
    """
    import openvino
    from openvino import opset15 as op

    # Softmax(q k' / sqrt(width)): the division is done once, on the weights.
    for layer in range(LAYERS):
        for kind in ("weight", "bias"):
            weights[f"layers.{layer}.qkv.{kind}"][:WIDTH] *= (WIDTH // HEADS) ** -0.5

    def integers(*values: int) -> Any:
        return op.constant(np.array(values, dtype=np.int64))

    def normalised(x: Any, name: str) -> Any:
        x = op.mvn(x, integers(-1), True, LAYER_NORM_EPSILON, "inside_sqrt")
        x = op.multiply(x, op.constant(weights[f"{name}.weight"][None, None]))
        return op.add(x, op.constant(weights[f"{name}.bias"][None, None]))

    def product(x: Any, weight: np.ndarray, bias: np.ndarray) -> Any:
        return op.add(
            op.matmul(x, op.constant(np.ascontiguousarray(weight)), False, True),
            op.constant(np.ascontiguousarray(bias)[None, None]),
        )

    def dense(x: Any, name: str) -> Any:
        return product(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def heads(x: Any) -> Any:  # (batch, tokens, 384) -> (batch, heads, tokens, 32)
        split = op.reshape(x, integers(0, 0, HEADS, WIDTH // HEADS), True)
        return op.transpose(split, integers(0, 2, 1, 3))

    ids = op.parameter([-1, -1], openvino.Type.i32, name="input_ids")
    kinds = op.parameter([-1, -1], openvino.Type.i32, name="kinds")
    # 0 for a token, -10,000 for padding: e^-10000 is 0.
    hidden = op.select(
        op.not_equal(op.unsqueeze(ids, integers(1, 2)), op.constant(np.int32(0))),
        op.constant(np.float32(0)),
        op.constant(np.float32(-1e4)),
    )
    first = op.constant(np.int64(0))
    length = op.gather(op.shape_of(ids, "i64"), integers(1), first)
    words = op.gather(op.constant(weights["words"]), ids, first)
    places = op.slice(
        op.constant(weights["place"][None]), integers(0), length, integers(1), integers(1)
    )
    # A token that stands in the question has the kind of the passage and a mark of its own.
    table = weights["kind"][:3].copy()
    table[2] += table[1]
    x = op.add(op.add(words, places), op.gather(op.constant(table), kinds, first))
    x = normalised(x, "norm")

    for layer in range(LAYERS):
        name = f"layers.{layer}"
        weight, bias = weights[f"{name}.qkv.weight"], weights[f"{name}.qkv.bias"]
        query, key, value = (
            heads(product(x, weight[i : i + WIDTH], bias[i : i + WIDTH]))
            for i in range(0, 3 * WIDTH, WIDTH)
        )
        scores = op.matmul(query, key, False, True)
        scores.set_friendly_name(f"scores.{layer}")
        mixed = op.matmul(op.softmax(op.add(scores, hidden), -1), value, False, False)
        mixed.set_friendly_name(f"mixed.{layer}")
        mixed = op.reshape(op.transpose(mixed, integers(0, 2, 1, 3)), integers(0, 0, WIDTH), True)
        x = normalised(op.add(dense(mixed, f"{name}.out"), x), f"{name}.norm1")
        wide = op.gelu(dense(x, f"{name}.up"), "erf")
        x = normalised(op.add(dense(wide, f"{name}.down"), x), f"{name}.norm2")

    head = op.matmul(x, op.constant(weights["head.weight"]), False, True)
    head.set_friendly_name("head")
    result = op.add(head, op.constant(weights["head.bias"][None, None]))
    result.output(0).get_tensor().set_names({"numbers"})
    return openvino.Model([op.result(result)], [ids, kinds], NAME)


if __name__ == "__main__":
    main()
