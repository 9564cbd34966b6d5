"""The command line ``micro-nb``: a parser, and one place where errors become one clear line. The work is in ``commands``."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..errors import MicroNBError
from ..settings import settings
from .commands_learn import add_evaluate_options
from .commands_parse import add_parse_options
from .commands_search import add_index_options, add_search_options
from .commands_train import add_train_options
from .options_chat import add_ask_options, add_chat_options, add_deidentify_options, add_mcp_options, add_sessions_options

_EXAMPLES = """examples:
  micro-nb info slide.svs                       what the file holds
  micro-nb overview slide.svs -o slide.png      a picture with a scale bar
  micro-nb convert slide.svs slide.ome.zarr     OME-Zarr 0.5 with a pyramid
  micro-nb quality cells.tif                    is it fit to be measured?
  micro-nb parse smear.jpg "white blood cell"   objects by prompt
  micro-nb segment cells.tif -o cells.csv       objects without trained weights
  micro-nb search index/ "crowded small nuclei" in what micro-nb index looked at
  micro-nb ask cells.tif "How many nuclei are in the left half?"
  micro-nb chat cells.tif                       a conversation in the terminal
  micro-nb mcp images/                          the measuring language for other assistants
  micro-nb sessions verify last                 measure again what was said
  micro-nb deidentify slide.svs clean.svs       a copy without names, dates and label pictures
  micro-nb report notebook.ipynb -o page.html   run a notebook, keep one page
"""
INTERRUPTED, BROKEN_PIPE = 130, 141
_REMEDIES = (
    (r"open_image\(path, axes='(\w+)'\)", r"--axes \1"),
    (r"axes='(\w+)'", r"--axes \1"),
    (r"overwrite=True", r"--overwrite"),
    (r"pixel_size= to open_image", r"--pixel-size"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Parameters
    ----------
    argv : arguments without the program's name; default those of the process.

    Returns
    -------
    0 done, 1 an error (one line on stderr), 2 wrong usage, 130 stopped by Ctrl-C.
    """
    parser = build_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # --help, --version and wrong usage
        return int(stop.code or 0)
    if args.command is None:
        parser.print_help()
        return 0
    settings.progress = settings.progress and not args.quiet
    return _guarded(args)


def _guarded(args: argparse.Namespace) -> int:
    try:
        getattr(importlib.import_module(f".{args.module}", __package__), args.command)(args)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        return _say("stopped by Ctrl-C; finished files are whole, unfinished ones are not there", INTERRUPTED)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # whatever went wrong, a user sees one line
        if args.debug:
            traceback.print_exc()
            return 1
        known = isinstance(error, MicroNBError | OSError | ValueError)
        text = str(error) or type(error).__name__
        return _say(_for_shell(text) if known else f"{type(error).__name__}: {text} (--debug shows where)", 1)


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"error: {text}\n" if code == 1 else f"{text}\n")
    return code


def _for_shell(text: str) -> str:
    """The remedies of the library in the words of the command line."""
    for pattern, words in _REMEDIES:
        text = re.sub(pattern, words, text)
    return text


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(
        prog="micro-nb", description="Open any microscope image: see it, convert it, measure it, ask it.", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"micro-nb {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    shared.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    image = argparse.ArgumentParser(add_help=False, parents=[shared])
    image.add_argument("image", help="a file, a zarr store, or an http(s):// or s3:// address")
    image.add_argument("--pixel-size", type=float, metavar="UM", help="µm per pixel; replaces what the file says")
    image.add_argument("--axes", help="what each dimension means, such as tyx, where the file does not say it")
    image.add_argument("--series", type=int, default=0, help="which image of a file that holds several (default 0)")
    _add_looking(commands, image)
    _add_measuring(commands, image)
    _add_model(commands, image, shared)
    _add_keeping(commands, shared)
    _add_notebooks(commands, shared)
    return parser


def _command(
    commands: Any, name: str, parents: list[argparse.ArgumentParser], help: str, module: str = "commands"
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, parents=parents, help=help, description=help)
    parser.set_defaults(command=name, module=module)
    return parser


def _add_looking(commands: Any, image: argparse.ArgumentParser) -> None:
    info = _command(commands, "info", [image], "what an image file holds: size, axes, pixel size, channels, facts")
    _json(info)
    overview = _command(commands, "overview", [image], "a picture of an image of any size, with a scale bar, as PNG")
    overview.add_argument("-o", "--out", help="the PNG to write (default: the image's name with .png, here)")
    overview.add_argument("--width", type=int, default=1200, help="width of the picture in pixels (default 1200)")
    overview.add_argument("--region", help="a part of it, such as 'left half' or 'top left'")
    overview.add_argument("--channel", action="append", help="a channel to show; may be given several times")
    overview.add_argument("--labels", help="name of label images stored with the image, drawn as outlines")
    _planes(overview)
    convert = _command(commands, "convert", [image], "write an image as OME-Zarr 0.5 with a pyramid; whole or absent")
    convert.add_argument("out", help="the store to make, such as x.ome.zarr or s3://bucket/x.ome.zarr")
    convert.add_argument("--chunk", type=int, default=512, help="edge of a chunk in pixels (default 512)")
    convert.add_argument("--shard", type=int, help="edge of a file in pixels (default 4 chunks)")
    convert.add_argument("--overwrite", action="store_true", help="replace a store that exists")
    _json(convert)


def _add_measuring(commands: Any, image: argparse.ArgumentParser) -> None:
    quality = _command(
        commands, "quality", [image], "whether an image is fit to be measured: focus, saturation, noise, background"
    )
    quality.add_argument("-o", "--out", help="write the map over the image as PNG")
    quality.add_argument("--table", help="write the table, a row a tile, as .csv or .parquet")
    quality.add_argument("--channel", help="judge this channel alone")
    _planes(quality)
    _json(quality)
    segment = _command(commands, "segment", [image], "find and measure objects without trained weights; a row an object")
    segment.add_argument("-o", "--out", help="the table to write, .csv or .parquet (default: the image's name with .csv, here)")
    segment.add_argument("--labels", metavar="STORE", help="also write the image with its labels as this OME-Zarr store")
    segment.add_argument("--overwrite", action="store_true", help="replace a store that exists")
    segment.add_argument("--channel", help="the channel that shows the objects")
    _planes(segment)
    _json(segment)
    ask = _command(commands, "ask", [image], "ask questions about an image; every number is a measurement", "commands_chat")
    add_ask_options(ask)
    _planes(ask)
    _json(ask)
    chat = _command(commands, "chat", [image], "a conversation about an image in the terminal", "commands_chat")
    add_chat_options(chat)
    _planes(chat)


def _add_model(commands: Any, image: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    parse = _command(
        commands, "parse", [image], "find what prompts name with Micro-D1; without a prompt, everything", "commands_parse"
    )
    add_parse_options(parse)
    _planes(parse)
    _json(parse)
    for name, help, add in (
        ("index", "look at images, their tiles or objects once, so that they can be searched", add_index_options),
        ("search", "search an index in words or by an image", add_search_options),
    ):
        add(_command(commands, name, [shared], help, "commands_search"))
    add_train_options(
        _command(commands, "train", [shared], "train from a recipe; with --resume it goes on where it stopped", "commands_train")
    )
    add_evaluate_options(_command(commands, "evaluate", [shared], "measure the model on labelled images", "commands_learn"))


def _add_keeping(commands: Any, shared: argparse.ArgumentParser) -> None:
    about = "logged conversations: list, show, resume, export, verify"
    logged = _command(commands, "sessions", [shared], about, "commands_sessions")
    add_sessions_options(logged)
    add_mcp_options(
        _command(
            commands,
            "mcp",
            [shared],
            "let assistants measure in images of some folders (Model Context Protocol)",
            "commands_chat",
        )
    )
    clean = _command(commands, "deidentify", [shared], "write a copy of an image without personal data", "commands_deidentify")
    add_deidentify_options(clean)


def _add_notebooks(commands: Any, shared: argparse.ArgumentParser) -> None:
    report = _command(commands, "report", [shared], "run a notebook and keep it as one page that needs no network and no kernel")
    report.add_argument("notebook", help="an .ipynb file")
    report.add_argument("-o", "--out", help="the page to write (default: the notebook's name with .html, here)")
    report.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="set a notebook parameter")
    report.add_argument("--timeout", type=float, help="seconds a cell may take")
    demo = _command(commands, "demo", [shared], "run the quickstart notebook and print where its report is")
    demo.add_argument("-o", "--out", default="quickstart.html", help="the page to write (default quickstart.html)")
    _command(commands, "lab", [shared], "open JupyterLab on the notebooks")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def _planes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-t", type=int, metavar="T", help="the time point to take")
    parser.add_argument("-z", type=int, metavar="Z", help="the slice to take")
    parser.add_argument("--project", choices=("max", "mean"), help="project z and t instead of choosing one")


if __name__ == "__main__":
    sys.exit(main())
