"""A tiny ONNX classifier, its bytes written by hand: no package that builds models is needed.

It adds up one row of a table for each token of a pair: what ``input_ids`` name, weighed by
``attention_mask``. So a test decides by its words what a model says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors

INT64, FLOAT = 7, 1


def write_classifier(
    folder: Path,
    rows: Mapping[str, Sequence[float]],
    *,
    labels: Sequence[str] | None = None,
    limit: int | None = None,
) -> Path:
    """Write a model, its tokenizer and its configuration; return the folder.

    Parameters
    ----------
    folder : Path
    rows : mapping of str to sequence of float
        What each word adds to the logit of each label; other words add nothing.
    labels : sequence of str or None
        Names of the labels, if the configuration names them.
    limit : int or None
        Tokens of a pair.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[SEP]", *rows])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [SEP]",
        pair="$A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[SEP]", vocabulary["[SEP]"])],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config: dict[str, object] = {"pad_token_id": 0}
    if labels is not None:
        config["id2label"] = {str(number): label for number, label in enumerate(labels)}
    if limit is not None:
        config["max_position_embeddings"] = limit
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    width = len(next(iter(rows.values())))
    table = np.zeros((len(vocabulary), width), dtype=np.float32)
    for word, row in rows.items():
        table[vocabulary[word]] = row
    (folder / "model.onnx").write_bytes(model_bytes(table))
    return folder


def model_bytes(table: np.ndarray) -> bytes:
    """Return the model as ONNX: gather, weigh by the mask, sum over the tokens."""
    graph = b"".join(
        [
            field(1, node("Gather", ["table", "input_ids"], "gathered")),
            field(1, node("Cast", ["attention_mask"], "mask", [attribute("to", FLOAT)])),
            field(1, node("Unsqueeze", ["mask", "last"], "column")),
            field(1, node("Mul", ["gathered", "column"], "weighed")),
            field(
                1, node("ReduceSum", ["weighed", "middle"], "logits", [attribute("keepdims", 0)])
            ),
            field(2, b"tiny"),
            field(5, tensor("table", table)),
            field(5, tensor("last", np.array([2], dtype=np.int64))),
            field(5, tensor("middle", np.array([1], dtype=np.int64))),
            field(11, value("input_ids", INT64, ["batch", "tokens"])),
            field(11, value("attention_mask", INT64, ["batch", "tokens"])),
            field(12, value("logits", FLOAT, ["batch", table.shape[1]])),
        ]
    )
    return number(1, 8) + field(7, graph) + field(8, field(1, b"") + number(2, 13))


def node(kind: str, inputs: Sequence[str], output: str, attributes: Sequence[bytes] = ()) -> bytes:
    parts = [field(1, name.encode()) for name in inputs] + [field(2, output.encode())]
    return b"".join([*parts, field(4, kind.encode()), *(field(5, each) for each in attributes)])


def attribute(name: str, integer: int) -> bytes:
    return field(1, name.encode()) + number(3, integer) + number(20, 2)


def tensor(name: str, values: np.ndarray) -> bytes:
    kind = FLOAT if values.dtype == np.float32 else INT64
    dimensions = b"".join(number(1, size) for size in values.shape)
    return dimensions + number(2, kind) + field(8, name.encode()) + field(9, values.tobytes())


def value(name: str, kind: int, shape: Sequence[str | int]) -> bytes:
    dimensions = b"".join(
        field(1, field(2, size.encode()) if isinstance(size, str) else number(1, size))
        for size in shape
    )
    return field(1, name.encode()) + field(2, field(1, number(1, kind) + field(2, dimensions)))


def field(place: int, content: bytes) -> bytes:
    """Return a length-delimited field of protobuf."""
    return varint(place << 3 | 2) + varint(len(content)) + content


def number(place: int, integer: int) -> bytes:
    return varint(place << 3) + varint(integer)


def varint(integer: int) -> bytes:
    encoded = bytearray()
    while integer > 127:
        encoded.append(integer & 127 | 128)
        integer >>= 7
    return bytes([*encoded, integer])
