"""What stands in Settings: what the store holds, the thresholds, and the health checks."""

from __future__ import annotations

from collections.abc import Sequence

from rag import Assistant, Check, Mode, Settings, Status
from ui.markup import foreign
from ui.render import day

# Where data lies, endpoints and keys are no business of a reader's.
_SHOWN = (
    "passage_tokens",
    "passage_overlap",
    "candidates",
    "passages_per_article",
    "passages_read",
    "max_sentences",
    "threshold",
    "llm_seconds",
    "llm_context_tokens",
)


def render_status(assistant: Assistant) -> str:
    """Return what is indexed and what writes the answers, as a list of terms."""
    status = assistant.status()
    wording = (
        "sentences of the articles, word for word"
        if status.mode is Mode.EXTRACTIVE
        else f"worded by {status.model}, each sentence checked"
    )
    rows = (
        ("Articles", f"{status.articles:,}"),
        ("Passages", f"{status.passages:,}"),
        ("Publishers", ", ".join(status.publishers) or "none named"),
        ("Published", span_of_days(status) or "no dates"),
        ("Answers", wording),
        ("Embedding model", status.embedder),
        ("On disk", f"{status.bytes_on_disk / 1e6:.1f} MB"),
        ("Settings fingerprint", status.settings_fingerprint),
    )
    return _terms(rows)


def render_settings(settings: Settings) -> str:
    """Return the settings that shape answers, with what each means; no path, address or key."""
    rows = []
    for name in _SHOWN:
        field = Settings.model_fields.get(name)
        if field is None:
            continue
        value = getattr(settings, name)
        told = "fitted" if value is None else str(value)
        rows.append((name, f"{told} · {field.description or ''}"))
    return _terms(rows)


def render_checks(checks: Sequence[Check]) -> str:
    """Return the health checks, those that failed first."""
    rows = "".join(
        f'<li class="{"well" if check.ok else "ill"}"><span class="mark">'
        f"{'✓' if check.ok else '✗'}</span><span><strong>{foreign(check.name)}</strong> "
        f"{foreign(check.detail)}</span></li>"
        for check in sorted(checks, key=lambda check: check.ok)
    )
    failed = sum(not check.ok for check in checks)
    told = "All is well." if not failed else f"{failed} of {len(checks)} checks failed."
    return f'<div class="checks"><p>{told}</p><ul>{rows}</ul></div>'


def render_masthead(status: Status) -> str:
    """Return the line under the name: how much is there to ask about."""
    if not status.articles:
        return "No articles yet"
    noun = "article" if status.articles == 1 else "articles"
    parts = [f"{status.articles:,} {noun}"]
    if len(status.publishers) > 1:
        parts.append(f"{len(status.publishers)} publishers")
    if days := span_of_days(status):
        parts.append(days)
    return " · ".join(parts)


def span_of_days(status: Status) -> str:
    """Return the first and the last day of publication; empty if none is known."""
    days = [
        day(value.isoformat()) for value in (status.first_published, status.last_published) if value
    ]
    return " – ".join(dict.fromkeys(days))


def _terms(rows: Sequence[tuple[str, str]]) -> str:
    body = "".join(f"<dt>{foreign(name)}</dt><dd>{foreign(value)}</dd>" for name, value in rows)
    return f'<dl class="terms">{body}</dl>'
