"""What the builds of both networks share: static int8 by NNCF, and the sha256 of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def quantize(model: Any, rows: Sequence[Any], *, kept: Sequence[str], smoothing: float) -> Any:
    """Return the graph with int8 weights and activations, ranges taken from `rows`.

    Parameters
    ----------
    model : openvino.Model
    rows : sequence
        Inputs to calibrate on.
    kept : sequence of str
        Names of operations that stay in floating point.
    smoothing : float
        SmoothQuant's share of the difficulty that moves from activations to weights, in [0, 1].
    """
    import nncf
    from nncf.quantization.advanced_parameters import (
        AdvancedQuantizationParameters,
        AdvancedSmoothQuantParameters,
    )

    return nncf.quantize(
        model,
        nncf.Dataset(rows),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(rows),
        ignored_scope=nncf.IgnoredScope(names=list(kept)),
        advanced_parameters=AdvancedQuantizationParameters(
            smooth_quant_alphas=AdvancedSmoothQuantParameters(matmul=smoothing)
        ),
    )


def sha256(path: Path) -> str:
    """Return the file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
