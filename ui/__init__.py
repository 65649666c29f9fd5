"""The page: what a reader sees of Dateline, built of Gradio widgets and served by FastAPI.

It imports only public names of `rag`, and nothing of `rag` imports it. Gradio reads its
environment when it is imported, so what keeps it from calling other hosts is set here, first.
"""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_RUN_HISTORY"] = "False"
# Gradio sums up all past events with pandas after each one, for a dashboard that isn't served.
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000000"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
