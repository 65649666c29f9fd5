"""The page of Dateline: ``python app.py --corpus corpus``, the same as ``dateline ui``.

What is on the page is in `ui`: `ui.page` holds the widgets, `ui.serve` the server around them.
"""

from __future__ import annotations

import sys

from ui.command import main

if __name__ == "__main__":
    sys.exit(main())
