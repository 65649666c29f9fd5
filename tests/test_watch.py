"""Following a folder: one sync a change, once the change has come to rest."""

from __future__ import annotations

from pathlib import Path

from rag.errors import StoreLockedError, UserError
from rag.watch import follow


def test_follow_syncs_now_and_after_each_change_that_has_come_to_rest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.")
    steps = {2: "Two, longer.", 3: "Three, longer still.", 6: None}
    synced_at: list[int] = []
    turn = 0

    def wait(seconds: float) -> None:
        nonlocal turn
        turn += 1
        if turn in steps:
            text = steps[turn]
            if text is None:
                (tmp_path / "a.txt").unlink()
            else:
                (tmp_path / "a.txt").write_text(text)

    errors: list[Exception] = []
    follow(tmp_path, lambda: synced_at.append(turn), complain=errors.append, wait=wait, rounds=10)
    # At 2 and 3 the file is still being written; at 6 it has gone.
    assert synced_at == [0, 4, 7]
    assert errors == []


def test_follow_tries_again_while_the_store_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.")
    tries = iter([StoreLockedError("in use"), StoreLockedError("in use"), None, UserError("no")])
    calls = 0

    def sync() -> None:
        nonlocal calls
        calls += 1
        if error := next(tries):
            raise error

    told: list[Exception] = []
    follow(tmp_path, sync, complain=told.append, wait=lambda seconds: None, rounds=8)
    assert (calls, len(told)) == (3, 2)
