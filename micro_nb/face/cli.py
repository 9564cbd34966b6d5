"""The command line ``micro-nb``: functions whose signatures are the options, and one place where errors become one clear line."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from .. import __version__
from ..errors import MicroNBError
from ..settings import settings
from . import commands, conversations
from .said import Said, told

_EXAMPLES = """examples:
  micro-nb info slide.svs                       what the file holds
  micro-nb overview slide.svs -o slide.png      a picture with a scale bar
  micro-nb convert slide.svs slide.ome.zarr     OME-Zarr 0.5 with a pyramid
  micro-nb quality cells.tif                    is it fit to be measured?
  micro-nb parse smear.jpg "white blood cell"   objects by prompt
  micro-nb segment cells.tif -o cells.zip       outlines for Fiji, without trained weights
  micro-nb ask cells.tif "How many nuclei are in the left half?"
  micro-nb report notebook.ipynb -o page.html   run a notebook, keep one page
"""
WRONG_USAGE, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
_REMEDIES = (
    (r"open_image\(path, axes='(\w+)'\)", r"--axes \1"),
    (r"axes='(\w+)'", r"--axes \1"),
    (r"overwrite=True", r"--overwrite"),
    (r"pixel_size= to open_image", r"--pixel-size"),
)

app = App(
    name="micro-nb", version=__version__, help="Open any microscope image: see it, convert it, measure it, ask it.",
    help_epilogue=_EXAMPLES, help_format="plaintext", default_parameter=Parameter(negative=()),
    print_error=False, exit_on_error=False, suppress_keyboard_interrupt=False, result_action="return_value",
)  # fmt: skip
_sessions = App(name="sessions", help="Logged conversations: list, show, resume, export, verify.", help_epilogue="")

for _function in (*commands.COMMANDS, *conversations.COMMANDS):
    app.command(_function, help_epilogue="")
for _function in conversations.SESSIONS:
    _sessions.command(_function, name=_function.__name__.removesuffix("_"))
app.command(_sessions)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    json: Annotated[bool, told("print JSON instead of text, where there is data")] = False,
    debug: Annotated[bool, told("show the traceback of an error")] = False,
    quiet: Annotated[bool, told("no progress bar", "-q")] = False,
) -> int:
    """One command, with what every command understands."""
    command, bound, untold = app.parse_args(tokens)
    settings.progress = settings.progress and not quiet
    wished = {"json": json} if "json" in untold else {}
    return _guarded(lambda: command(*bound.args, **bound.kwargs, **wished), debug, as_json=json)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Parameters
    ----------
    argv : arguments without the program's name; default those of the process.

    Returns
    -------
    0 done, 1 an error (one line on stderr), 2 wrong usage, 130 stopped by Ctrl-C.
    """
    try:
        return int(app.meta(argv) or 0)
    except CycloptsError as error:
        return _say(f"error: {error} (--help shows how)", WRONG_USAGE)


def _guarded(run: Callable[[], Any], debug: bool, *, as_json: bool) -> int:
    try:
        said = run()
        if isinstance(said, Said):
            said.print(as_json=as_json)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        return _say("stopped by Ctrl-C; finished files are whole, unfinished ones are not there", INTERRUPTED)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # whatever went wrong, a user sees one line
        if debug:
            traceback.print_exc()
            return 1
        known = isinstance(error, MicroNBError | OSError | ValueError)
        text = str(error) or type(error).__name__
        return _say("error: " + (text if known else f"{type(error).__name__}: {text} (--debug shows where)"), 1)


def _say(text: str, code: int) -> int:
    """One line on stderr, with the remedies of the library in the words of the command line."""
    for pattern, words in _REMEDIES:
        text = re.sub(pattern, words, text)
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
