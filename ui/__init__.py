"""The page: what a reader sees of Dateline, built of Gradio widgets and served by FastAPI.

It imports only public names of `rag`, and nothing of `rag` imports it. Gradio reads its
environment when it is imported, so what keeps it from calling other hosts is set here, first.
"""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_RUN_HISTORY"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
