"""``python -m mainstem`` is the command ``mainstem``."""

from __future__ import annotations

from mainstem.cli import main

raise SystemExit(main())
