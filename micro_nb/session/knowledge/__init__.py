"""What a microscopist is expected to know and to calculate: notes and formulas as tables with their sources, found by meaning."""

from .formulas import Worked, work_out
from .notes import Note, all_notes, look_up

__all__ = ["Note", "Worked", "all_notes", "look_up", "work_out"]
