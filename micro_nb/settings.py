"""Process-wide settings, read once from the environment: how many threads, whether to show progress, whether to log."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _available_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


@dataclass
class Settings:
    """Mutable settings shared by the package; assign to change (``mnb.settings.threads = 4``).

    Attributes
    ----------
    threads : worker threads for reading and tile work, >= 1 (``MICRO_NB_THREADS``; default: the cores of this process).
    progress : show progress bars (``MICRO_NB_PROGRESS=0`` turns them off).
    log : keep a log of conversations in the user's data folder (``MICRO_NB_LOG=0`` turns it off).
    """

    threads: int = field(default_factory=lambda: int(os.environ.get("MICRO_NB_THREADS") or _available_cores()))
    progress: bool = field(default_factory=lambda: os.environ.get("MICRO_NB_PROGRESS", "1") != "0")
    log: bool = field(default_factory=lambda: os.environ.get("MICRO_NB_LOG", "1") != "0")


settings = Settings()
