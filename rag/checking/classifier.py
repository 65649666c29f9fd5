"""A local classifier of support, such as an NLI model: in ONNX, or as transformers stores it."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelError, SettingsError

MAX_TOKENS: Final = 512
"""Of a pair, where the model's configuration doesn't say."""
_OVERLAP_TOKENS: Final = 64
"""Shared by neighbouring windows of evidence that is too long for the model."""
_BATCH: Final = 16
_POSITIVE: Final = frozenset(
    ("entailment", "entailed", "supported", "supports", "consistent", "factual", "faithful")
)
"""Labels that mean support, as models in use spell them; compared in lower case."""

Logits = NDArray[np.float64]
"""Of shape (windows, labels)."""


class _Classifier:
    """What both kinds of model do with the logits of their windows."""

    _config: Mapping[str, Any]
    _path: Path
    _files: str
    """What to look at when the model fails."""

    @property
    def name(self) -> str:
        """Shown in verdicts."""
        raise NotImplementedError

    def support(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a probability for each (sentence, evidence), in order.

        Raises
        ------
        ModelError
            If the model can't be loaded or run.
        """
        if not pairs:
            return []
        try:
            logits, owners = self._run(pairs)
        except Exception as error:  # these packages raise exceptions of their own
            raise ModelError(
                f"the checker {self.name} failed ({type(error).__name__}); "
                f"check {self._files}, or unset RAG_CHECKER",
                model=self.name,
            ) from error
        shares = _probabilities(logits, self._config, self._path)
        return _best(shares, owners, len(pairs), self.name)

    def _run(self, pairs: Sequence[tuple[str, str]]) -> tuple[Logits, list[int]]:
        """Return the logits of all windows, and the pair that each window is of."""
        raise NotImplementedError


class OnnxChecker(_Classifier):
    """An ONNX model that classifies (evidence, sentence), run by onnxruntime on the CPU.

    The model is loaded on first use. Evidence too long for it is read in overlapping windows, and
    the best one counts.

    Parameters
    ----------
    path : Path
        A ``.onnx`` file, or a folder with one (``model.onnx``, or in ``onnx/``). Beside it, or in
        the folder above, stand ``tokenizer.json``, and ``config.json`` with ``id2label`` if it has
        three labels or more.
    threads : int

    Raises
    ------
    SettingsError
        If a file is missing or can't be read, or no label means support.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self._path = _find_onnx(path)
        self._files = f"the files beside {self._path.name}"
        folder = _folder_with(self._path.parent, "tokenizer.json")
        self._tokenizer_file = folder / "tokenizer.json"
        self._config = _read_config(folder)
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        _positive(self._config, None, self._path)
        for package in ("onnxruntime", "tokenizers"):
            if importlib.util.find_spec(package) is None:
                raise SettingsError(f"a checker in ONNX needs {package}: pip install {package}")

    @property
    def name(self) -> str:
        """The name of the model's folder, or of its file."""
        folder = self._tokenizer_file.parent.name
        return self._path.stem if self._path.stem != "model" or not folder else folder

    def _run(self, pairs: Sequence[tuple[str, str]]) -> tuple[Logits, list[int]]:
        session, tokenizer = self._load()
        pad = int(self._config.get("pad_token_id") or 0)
        windows, owners = _windows(tokenizer, pairs)
        logits = np.concatenate(
            [
                _run(session, windows[start : start + _BATCH], pad)
                for start in range(0, len(windows), _BATCH)
            ]
        )
        return logits, owners

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                import onnxruntime  # type: ignore[import-untyped]
                from tokenizers import Tokenizer

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self._threads
                options.log_severity_level = 3
                tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
                tokenizer.no_padding()
                tokenizer.enable_truncation(
                    _limit(self._config), stride=_OVERLAP_TOKENS, strategy="only_first"
                )
                session = onnxruntime.InferenceSession(
                    str(self._path), options, providers=["CPUExecutionProvider"]
                )
                self._loaded = session, tokenizer
            return self._loaded


class TransformersChecker(_Classifier):
    """A sequence classifier in a folder of transformers, run by PyTorch; neither comes with this.

    Behaves as `OnnxChecker`. No code of the folder is run.

    Parameters
    ----------
    path : Path
        Of the folder, with ``config.json``.

    Raises
    ------
    SettingsError
        If transformers and torch aren't installed, or no label means support.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self._path = path
        self._files = f"the folder {path}"
        self._threads = threads
        self._config = _read_config(path)
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        _positive(self._config, None, path)
        if not all(map(importlib.util.find_spec, ("torch", "transformers"))):
            raise SettingsError(
                f"the checker {path} is no ONNX model, so it needs transformers and torch: "
                "install them, or export the model to ONNX"
            )

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self._path.resolve().name

    def _run(self, pairs: Sequence[tuple[str, str]]) -> tuple[Logits, list[int]]:
        import torch

        tokenizer, model = self._load()
        encoded = tokenizer(
            [evidence for _, evidence in pairs],
            [sentence for sentence, _ in pairs],
            truncation="only_first",
            max_length=_limit(self._config),
            stride=_OVERLAP_TOKENS,
            return_overflowing_tokens=True,
            padding=True,
            return_tensors="pt",
        )
        owners = encoded.pop("overflow_to_sample_mapping").tolist()
        rows = []
        with torch.inference_mode():
            for start in range(0, len(owners), _BATCH):
                batch = {name: part[start : start + _BATCH] for name, part in encoded.items()}
                rows.append(model(**batch).logits.double().numpy())
        return np.concatenate(rows), owners

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                import torch
                from transformers import AutoModelForSequenceClassification, AutoTokenizer

                torch.set_num_threads(self._threads)
                folder = str(self._path)
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                model = AutoModelForSequenceClassification.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True
                )
                self._loaded = tokenizer, model.eval()
            return self._loaded


def open_classifier(path: Path, *, threads: int = 1) -> OnnxChecker | TransformersChecker:
    """Open the classifier at `path`: ONNX where there is some, else as transformers stores it.

    Raises
    ------
    SettingsError
        If there is neither, or it can't be used.
    """
    if not path.exists():
        raise SettingsError(
            f"RAG_CHECKER names nothing: {path}; give llm, or the path of an ONNX or "
            "transformers model"
        )
    onnx = path.is_file() or any(file.is_file() for file in _onnx_places(path))
    if not onnx and (path / "config.json").is_file():
        return TransformersChecker(path, threads=threads)
    return OnnxChecker(path, threads=threads)


def _onnx_places(folder: Path) -> tuple[Path, ...]:
    return folder / "model.onnx", folder / "onnx" / "model.onnx"


def _find_onnx(path: Path) -> Path:
    if path.is_file():
        if path.suffix != ".onnx":
            raise SettingsError(f"RAG_CHECKER must name a .onnx file or a folder, not {path}")
        return path
    for file in (*_onnx_places(path), *sorted(path.glob("*.onnx"))):
        if file.is_file():
            return file
    raise SettingsError(f"the checker {path} holds no model.onnx; give the folder of an ONNX model")


def _folder_with(folder: Path, name: str) -> Path:
    for place in (folder, folder.parent):
        if (place / name).is_file():
            return place
    raise SettingsError(f"the checker needs {name} beside its model in {folder}")


def _read_config(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} can't be read: {error}") from error
    return config if isinstance(config, dict) else {}


def _limit(config: Mapping[str, Any]) -> int:
    stated = config.get("max_position_embeddings")
    # A relative position has no limit; RoBERTa's 514 count two that can't be used.
    return min(stated, MAX_TOKENS) if isinstance(stated, int) and stated > 64 else MAX_TOKENS


def _positive(config: Mapping[str, Any], labels: int | None, where: Path) -> int:
    """Return the number of the label that means support; `labels` is their count, if known."""
    named = config.get("id2label") or {}
    for number, label in named.items():
        if str(label).lower() in _POSITIVE:
            return int(number)
    count = len(named) or labels
    if count is None or count <= 2:
        return (count or 2) - 1
    raise SettingsError(
        f"the checker {where} has {count} labels, and none is called entailment or supported; "
        "name them in id2label of its config.json"
    )


def _windows(tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> tuple[list[Any], list[int]]:
    """Encode the pairs; one whose evidence is too long gives several, each with the sentence."""
    windows: list[Any] = []
    owners: list[int] = []
    encoded = tokenizer.encode_batch([(evidence, sentence) for sentence, evidence in pairs])
    for owner, first in enumerate(encoded):
        parts = [first, *first.overflowing]
        windows += parts
        owners += [owner] * len(parts)
    return windows, owners


def _run(session: Any, windows: Sequence[Any], pad: int) -> Logits:
    """Run one batch; `pad` is the token that fills up, from which some models count positions."""
    width = max(len(window.ids) for window in windows)

    def padded(rows: Sequence[Sequence[int]], fill: int = 0) -> NDArray[np.int64]:
        filled = np.full((len(rows), width), fill, dtype=np.int64)
        for row, values in zip(filled, rows, strict=True):
            row[: len(values)] = values
        return filled

    known = {
        "input_ids": padded([window.ids for window in windows], pad),
        "attention_mask": padded([window.attention_mask for window in windows]),
        "token_type_ids": padded([window.type_ids for window in windows]),
    }
    wanted = {each.name: known[each.name] for each in session.get_inputs()}
    return np.asarray(session.run(None, wanted)[0], dtype=np.float64).reshape(len(windows), -1)


def _probabilities(logits: Logits, config: Mapping[str, Any], where: Path) -> NDArray[np.float64]:
    labels = logits.shape[1]
    if labels == 1:
        return np.asarray(1 / (1 + np.exp(-np.clip(logits[:, 0], -500, 500))))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return np.asarray(shares[:, _positive(config, labels, where)])


def _best(
    windows: NDArray[np.float64], owners: Sequence[int], pairs: int, name: str
) -> list[float]:
    """Return the highest probability among the windows of each pair."""
    if not np.isfinite(windows).all():
        raise ModelError(f"the checker {name} gave something else than numbers", model=name)
    best = [0.0] * pairs
    for probability, owner in zip(windows.tolist(), owners, strict=True):
        best[owner] = max(best[owner], probability)
    return best
