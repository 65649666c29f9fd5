"""The routes that are ours: health, evidence, reports and the page's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import FileResponse, JSONResponse, Response

from rag import UserError
from ui.desk import Desk
from ui.evidence import MAX_MARKS, open_article, open_evidence

STATIC = Path(__file__).parent / "static"

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# A report's own script sorts its tables; the sandbox keeps it from everything of this server.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)

_Address = Annotated[str, Query(max_length=400)]
_Marks = Annotated[list[str] | None, Query(max_length=MAX_MARKS)]
_ArticleId = Annotated[str, Query(alias="id", max_length=400)]


def make_routes(desk: Desk) -> FastAPI:
    """Return an application with our routes, onto which the widgets are mounted."""
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    files = {path.name: path for path in STATIC.iterdir() if path.suffix in _TYPES}

    @application.get("/health")
    def health() -> dict[str, Any]:
        return {"ok": True, "articles": desk.assistant.status().articles}

    @application.get("/evidence")
    def evidence(at: _Address, mark: _Marks = None) -> Response:
        pairs = [text.partition("|") for text in mark or ()]
        others = [(int(label), where) for label, _, where in pairs if label.isdecimal()]
        try:
            return JSONResponse(open_evidence(desk.assistant, at, others))
        except UserError as error:
            return JSONResponse({"error": str(error)}, status_code=404)

    @application.get("/article")
    def article(at: _ArticleId) -> Response:
        try:
            return JSONResponse(open_article(desk.assistant, at))
        except UserError as error:
            return JSONResponse({"error": str(error)}, status_code=404)

    @application.get("/reports/{run}/report.html")
    def report(run: str) -> Response:
        path = desk.evaluation.report(run)
        if path is None:
            return JSONResponse({"error": "no such report"}, status_code=404)
        return FileResponse(
            path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY}
        )

    @application.get("/page/{name}")
    def static(name: str) -> Response:
        path = files.get(name)
        if path is None:
            return JSONResponse({"error": "not found"}, status_code=404)
        return FileResponse(path, media_type=_TYPES[path.suffix])

    return application
