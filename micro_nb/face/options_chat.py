"""Options of ``micro-nb ask``, ``chat``, ``mcp``, ``sessions`` and ``deidentify``; light, so that help stays instant."""

from __future__ import annotations

import argparse

ACTIONS = ("list", "show", "resume", "export", "verify")


def add_ask_options(parser: argparse.ArgumentParser) -> None:
    """Questions, and the conversation they belong to."""
    parser.add_argument(
        "question", nargs="+", help="one or more questions, each in quotes; or expressions, such as 'count(\"nucleus\")'"
    )
    add_chat_options(parser)


def add_chat_options(parser: argparse.ArgumentParser) -> None:
    """Which conversation, which eyes, which log."""
    parser.add_argument(
        "--session", metavar="ID", help="go on with this logged conversation ('last', or the beginning of its id)"
    )
    parser.add_argument("--eyes", help="what finds objects: micro_d1 (default), floor (no trained weights), or a model folder")
    parser.add_argument("--log", metavar="FILE", help="keep the conversation in this file instead of the user's data folder")
    parser.add_argument("--no-log", action="store_true", help="do not keep the conversation")


def add_mcp_options(parser: argparse.ArgumentParser) -> None:
    """What an assistant may open, and what looks."""
    parser.add_argument(
        "folder", nargs="+", help="folders whose images may be opened; nothing outside of them, and nothing remote"
    )
    parser.add_argument("--eyes", help="what finds objects: micro_d1 (default), floor (no trained weights), or a model folder")


def add_sessions_options(parser: argparse.ArgumentParser) -> None:
    """What to do with which conversation."""
    parser.add_argument("action", choices=ACTIONS, help="list them; show, resume, export or verify one (verify: or all)")
    parser.add_argument("id", nargs="?", help="which conversation: its id, the beginning of it, or 'last'")
    parser.add_argument("-o", "--out", help="export: the .ipynb or .json to write (default: the id with .ipynb, here)")
    parser.add_argument("--image", help="resume, verify: the image, where it moved")
    parser.add_argument("--log", metavar="FILE", help="the log (default: the one in the user's data folder)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_deidentify_options(parser: argparse.ArgumentParser) -> None:
    """What to clean, and where the copy goes."""
    parser.add_argument("image", help="a TIFF or SVS, PNG, JPEG, or OME-Zarr")
    parser.add_argument("out", help="the copy to write: the same format, or any image as .ome.zarr")
    parser.add_argument("--overwrite", action="store_true", help="replace a file or store that exists")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
