"""Train the reader: on clozes of news, then on SQuAD 2.0 and NQ-open.

Not run by users. Needs the extra ``models`` and the folder of the public sets::

    python rag/models/minilm-reader-int8/train.py \
        --data ../shared/bench --clozes clozes.safetensors --out reader.safetensors

The loss has two parts. Sentences: a softmax over all sentences that were read for a question and
"none of them", against the right ones. Words: start and end over the tokens of a passage and
"nowhere", as readers of SQuAD 2 do. With ``--half`` every other title of SQuAD, by name, stays
unseen: `rag.models.fit_selection` fits on those what weighs the readings.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from clozes import clozes
from examples import Example, Window, examples, read_nq, read_squad, without_golds
from network import MAX_TOKENS, Reader
from safetensors.torch import load_file, save_file
from tokens import encoded, sequence
from torch import Tensor

from rag.models.squad import unseen_titles

Part = tuple[str, Window, bool]
Group = list[Part]

TOKENS_A_BATCH = 2_000
WARM_UP = 0.06
HEAD_RATE = 5.0  # times the rate of the encoder: the head starts from nothing
ATTENTION_RANGE = 8.0
SWAPPED_SHARE = 0.35
GONE_SHARE = 0.25
PASSES = 4
STEP = 16
SEED = 11


@dataclass(frozen=True)
class Batch:
    """Rows of several groups; see `collate`."""

    ids: Tensor
    kinds: Tensor
    sentence: Tensor
    group: Tensor
    right: Tensor
    starts: Tensor
    ends: Tensor
    groups: int


def grouped(example: Example, draw: random.Random) -> list[Group]:
    """Return what is read together: the window, often another; and questions without an answer.

    Those are the question with another name or number, the question of a window that looks alike,
    and the question of its own window without the sentence that answers.
    """
    group: Group = [(example.question, example.window, True)]
    share = example.other_share if example.window.golds else 0.15
    if example.others and draw.random() < share:
        group.append((example.question, draw.choice(example.others), False))
    groups = [group]
    if example.swapped and draw.random() < SWAPPED_SHARE:
        groups.append([(example.swapped, example.window, False)])
    if example.window.golds and draw.random() < GONE_SHARE:
        rest = without_golds(example.window)
        choices = [*example.others[:2], *([rest, rest] if rest else [])]
        if choices:
            groups.append([(example.question, draw.choice(choices), False)])
    return groups


def batches(chosen: Sequence[Example], draw: random.Random) -> list[list[Group]]:
    """Return groups in batches of like length, in random order."""
    groups = [group for example in chosen for group in grouped(example, draw)]
    draw.shuffle(groups)

    def size(group: Group) -> int:
        lengths = [len(encoded(q)[0]) + len(encoded(w.text)[0]) for q, w, _ in group]
        return min(MAX_TOKENS, max(lengths) + 12)

    made = []
    for start in range(0, len(groups), 400):
        batch: list[Group] = []
        rows = longest = 0
        for group in sorted(groups[start : start + 400], key=size):
            longest = max(longest, size(group))
            if batch and (rows + len(group)) * longest > TOKENS_A_BATCH:
                made.append(batch)
                batch, rows, longest = [], 0, size(group)
            batch.append(group)
            rows += len(group)
        made.append(batch)
    draw.shuffle(made)
    return made


def collate(groups: Sequence[Group]) -> Batch:
    """Make tensors of groups; sentences are numbered through the batch."""
    rows, of_group, marked = [], [], []
    for number, group in enumerate(groups):
        for question, window, has_golds in group:
            rows.append(sequence(question, window, window.golds if has_golds else ()))
            of_group.append(number)
            marked.append((window, has_golds))
    length = -(-max(len(row.ids) for row in rows) // STEP) * STEP
    shape = (len(rows), length)
    ids, kinds = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    sentence = torch.full(shape, -1, dtype=torch.long)
    starts, ends = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    group_of: list[int] = []
    right: list[bool] = []
    for i, (row, (window, has_golds)) in enumerate(zip(rows, marked, strict=True)):
        used = len(row.ids)
        ids[i, :used] = torch.from_numpy(row.ids.astype(np.int64))
        kinds[i, :used] = torch.from_numpy(row.kinds.astype(np.int64))
        for number in np.unique(row.sentences[row.sentences >= 0]):
            places = torch.from_numpy(np.flatnonzero(row.sentences == number))
            sentence[i, places] = len(group_of)
            first, last = window.sentences[number]
            golds = window.golds if has_golds else ()
            right.append(any(first <= (s + e) / 2 <= last for s, e in golds))
            group_of.append(of_group[i])
        # The first token stands for "nowhere".
        starts[i, list(row.starts) or [0]] = True
        ends[i, list(row.ends) or [0]] = True
    return Batch(
        ids,
        kinds,
        sentence,
        torch.tensor(group_of),
        torch.tensor(right),
        starts,
        ends,
        len(groups),
    )


def sentence_scores(numbers: Tensor, batch: Batch) -> Tensor:
    """Return a score a sentence: the mean of its tokens' scores, weighted as the network says."""
    inside = batch.sentence >= 0
    of = batch.sentence[inside]
    weights = numbers[..., 2][inside].clamp(-ATTENTION_RANGE, ATTENTION_RANGE).exp()
    empty = torch.zeros(len(batch.group))
    total = empty.index_add(0, of, weights * numbers[..., 3][inside])
    return total / empty.index_add(0, of, weights).clamp(min=1e-9)


def loss_of(numbers: Tensor, batch: Batch) -> Tensor:
    """Return the loss of sentences and of words together."""
    scores = sentence_scores(numbers, batch).clamp(-30, 30).exp()
    every = torch.ones(batch.groups).index_add(0, batch.group, scores).log()
    of_right = torch.zeros(batch.groups).index_add(0, batch.group[batch.right], scores[batch.right])
    none = torch.zeros(batch.groups)
    gold = torch.where(of_right > 0, of_right.clamp(min=1e-20).log(), none)
    allowed = batch.sentence >= 0
    allowed[:, 0] = True

    def words(values: Tensor, targets: Tensor) -> Tensor:
        values = values.masked_fill(~allowed, -1e4)
        hit = values.masked_fill(~(targets & allowed), -1e4)
        return values.logsumexp(1) - hit.logsumexp(1)

    of_words = words(numbers[..., 0], batch.starts) + words(numbers[..., 1], batch.ends)
    return (every - gold).mean() + of_words.clamp(max=30).mean() / 2


def train(model: Reader, chosen: Sequence[Example], *, passes: int, rate: float) -> None:
    """Run some passes over some examples; `rate` is the highest learning rate of the encoder."""
    draw = random.Random(SEED)
    torch.manual_seed(SEED)
    model.train()
    named = dict(model.named_parameters())
    head = [p for name, p in named.items() if name.startswith("head")]
    flat = {name for name, p in named.items() if p.dim() < 2 or name in ("place", "kind")}
    plain = [p for name, p in named.items() if name in flat and not name.startswith("head")]
    dense = [p for name, p in named.items() if name not in flat and not name.startswith("head")]
    factors = (1.0, 1.0, HEAD_RATE)
    optimizer = torch.optim.AdamW(
        [
            {"params": dense, "weight_decay": 0.01},
            {"params": plain, "weight_decay": 0.0},
            {"params": head, "weight_decay": 0.01},
        ],
        lr=rate,
    )
    work = [batch for _ in range(passes) for batch in batches(chosen, draw)]
    started = time.monotonic()
    losses: list[float] = []
    for step, groups in enumerate(work):
        warm = min(1.0, (step + 1) / (WARM_UP * len(work)))
        share = warm * max(0.02, 1 - step / len(work))
        for parameters, factor in zip(optimizer.param_groups, factors, strict=True):
            parameters["lr"] = rate * share * factor
        batch = collate(groups)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            numbers = model(batch.ids, batch.kinds)
        loss = loss_of(numbers.float(), batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if step % 25 == 24:
            seconds = time.monotonic() - started
            mean = np.mean(losses[-25:])
            print(f"{step + 1}/{len(work)} loss {mean:.3f} {seconds:.0f} s", flush=True)


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--half", action="store_true", help="leave every other title unseen")
    parser.add_argument(
        "--clozes", type=Path, required=True, help="weights after the clozes; made if missing"
    )
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    draw = random.Random(7)
    model = Reader()
    if arguments.clozes.exists():
        model.load_state_dict(load_file(arguments.clozes))
    else:
        train(model, clozes(arguments.data), passes=1, rate=1e-4)
        save_file(model.state_dict(), arguments.clozes)
    squad = examples(*read_squad(arguments.data), draw)
    if arguments.half:
        unseen = unseen_titles(example.group for example in squad)
        squad = [example for example in squad if example.group not in unseen]
    nq = examples(*read_nq(arguments.data), draw)
    train(model, [*squad, *nq], passes=PASSES, rate=8e-5)
    save_file(model.state_dict(), arguments.out)


if __name__ == "__main__":
    main()
