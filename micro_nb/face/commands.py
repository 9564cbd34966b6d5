"""The commands of ``micro-nb`` about images, models and notebooks. What they use loads when they run, so that help is instant."""

from __future__ import annotations

import json as _json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

import micro_nb as mnb

from ..errors import ReportError, WriteError
from .said import AsJson, Channel, Model, Overwrite, Picture, Said, told

if TYPE_CHECKING:
    from ..data.image import MicroImage

QUICKSTART = "01_quickstart.ipynb"
_IN_MEMORY_PX = 1 << 26
_SEARCHED = ("rank", "score", "y0", "x0", "y1", "x1", "path")


def info(picture: Picture) -> Said:
    """What an image file holds: size, axes, pixel size, channels, facts."""
    from ..render.card import facts

    img = picture.open()
    lines = {"name": img.name, **facts(img)}
    if not img.rgb:
        lines["channels"] = ", ".join(map(_channel, img.channels))
    more = {name.replace("_", " "): value for name, value in img.metadata.items()}
    lines |= {name: shorten(str(value), 160) for name, value in more.items() if name not in lines}
    width = max(map(len, lines))
    return Said("\n".join(f"{name:<{width}}  {value}" for name, value in lines.items()), _described(img))


def overview(
    picture: Picture, *,
    out: Annotated[str | None, told("the PNG to write (default: the image's name with .png, here)", "-o")] = None,
    width: Annotated[int, told("width of the picture in pixels")] = 1200,
    region: Annotated[str | None, told("a part of it, such as 'left half' or 'top left'")] = None,
    channel: Annotated[list[str] | None, told("a channel to show; may be given several times")] = None,
    labels: Annotated[str | None, told("name of label images stored with the image, drawn as outlines")] = None,
) -> Said:  # fmt: skip
    """A picture of an image of any size, with a scale bar, as PNG."""
    img = picture.plane()
    look = mnb.overview(img, labels=labels, channels=channel, region=region, width=width)
    return Said(written=(look.save(out or _stem(img) + ".png"),))


def convert(
    picture: Picture, out: Annotated[str, told("the store to make, such as x.ome.zarr or s3://bucket/x.ome.zarr")], *,
    chunk: Annotated[int, told("edge of a chunk in pixels")] = 512,
    shard: Annotated[int | None, told("edge of a file in pixels (default 4 chunks)")] = None, overwrite: Overwrite = False,
) -> Said:  # fmt: skip
    """Write an image as OME-Zarr 0.5 with a pyramid; whole or absent."""
    if not out.rstrip("/").endswith(".zarr"):
        raise WriteError(f"{out}: images are written as OME-Zarr; give a name that ends in .ome.zarr")
    made = mnb.save_image(picture.open(), out, chunk=chunk, shard=shard, overwrite=overwrite)
    return Said(str(made), {"path": str(made), **_described(mnb.open_image(made))})


def quality(
    picture: Picture, *, out: Annotated[str | None, told("write the map over the image as PNG", "-o")] = None,
    table: Annotated[str | None, told("write the table, a row a tile, as .csv or .parquet")] = None, channel: Channel = None,
) -> Said:  # fmt: skip
    """Whether an image is fit to be measured: focus, saturation, noise, background."""
    q = mnb.quality(picture.plane(), channel=channel)
    columnar = str(table).endswith(".parquet")
    as_bytes = q.table.to_parquet if columnar else lambda: q.table.to_csv(index=False).encode()
    tabled = _write(table, as_bytes, ".parquet" if columnar else ".csv")
    drawn = _write(out, q.png, ".png")
    return Said(q.verdict, {"verdict": q.verdict, "ok": q.ok, "facts": dict(q.facts), "table": q.table}, (tabled, drawn))


def segment(
    picture: Picture, *, channel: Channel = None, overwrite: Overwrite = False, json: AsJson = False,
    out: Annotated[str | None, told("the objects to write, as for parse (default: the image's name with .csv)", "-o")] = None,
    labels: Annotated[str | None, told("also write the image with its labels as this OME-Zarr store")] = None,
) -> Said:  # fmt: skip
    """Find and measure objects without trained weights; a row an object."""
    img = picture.plane()
    with tempfile.TemporaryDirectory(prefix="micro-nb-") as folder:
        planes = mnb.segment(img, channel=channel, out=f"{folder}/labels.ome.zarr" if _large(img) else None)
        found = mnb.Objects.from_labels(img, planes)
        written = found.save(out or _stem(img) + ".csv", overwrite=overwrite) if out or not json else None
        if labels:
            mnb.save_image(img, labels, labels={"objects": planes}, overwrite=overwrite)
    return Said(f"{len(found):,} objects", found.table, (written, labels))


def parse(
    picture: Picture, prompt: Annotated[list[str] | None, told("what to find, each in quotes")] = None, *,
    channel: Channel = None, model: Model = None, json: AsJson = False,
    out: Annotated[str | None, told("the objects to write: .csv .parquet .geojson .json (COCO), .zarr with labels", "-o")] = None,
    outlines: Annotated[str | None, Parameter(name="--picture", help="also write a picture with outlines, as PNG")] = None,
    diameter: Annotated[float | None, told("typical object diameter in pixels, where the estimate is wrong")] = None,
) -> Said:  # fmt: skip
    """Find what prompts name with Micro-D1; without a prompt, everything is found and named."""
    img = picture.plane()
    target = out or (None if json else _stem(img) + ".csv")
    if target and Path(target).exists():
        raise WriteError(f"{target}: already exists; choose another name with -o")
    store = target if target and target.endswith(".zarr") else None
    if _large(img) and not store and not json:
        raise WriteError(f"{img.name} is so large that its labels are written to disk: say -o objects.zarr")
    found = mnb.parse(img, prompt or None, out=store, model=_model(model), channel=channel, diameter_px=diameter)
    written = found.save(target) if target and not store else store
    drawn = mnb.overview(img, objects=found).save(outlines) if outlines else None
    about = {key: found.made_by.get(key) for key in ("recognised", "scale", "weights")}
    data = {"presence": found.presence, **about, "objects": found.table}
    return Said("\n".join(_presence(found, bool(prompt))), data, (written, drawn))


def index(
    paths: Annotated[list[str], told("images, or folders of images")], /, *,
    out: Annotated[str, told("the folder to write", "-o")],
    of: Annotated[Literal["images", "tiles", "objects"], told("what a row is")] = "images", model: Model = None,
    append: Annotated[bool, told("add what is new to an index that is there")] = False, overwrite: Overwrite = False,
) -> Said:  # fmt: skip
    """Look at images, their tiles or objects once, so that they can be searched."""
    if append and overwrite:
        raise WriteError("--append adds to an index and --overwrite replaces it; say one of them")
    known = _model(model)
    made = mnb.Index.open(out, model=known) if append else mnb.Index.build(paths, out, of=of, model=known, overwrite=overwrite)
    added = made.append(paths) if append else len(made.sources)
    data = {"index": str(made.folder), "of": made.of, "rows": len(made), "images_added": added, "skipped": made.skipped}
    return Said(f"{len(made):,} {made.of}, {added:,} image{'s' * (added != 1)} added\n{made.folder}", data)


def search(
    index: Annotated[str, told("a folder that micro-nb index wrote")],
    query: Annotated[str, told("what to look for in words, or the path of an image")] = "", /, *,
    k: Annotated[int, Parameter(name="-k", help="how many results")] = 5,
    where: Annotated[str | None, told("a condition on measurements, such as 'area_um2 > 80 and solidity > 0.9'")] = None,
    out: Annotated[str | None, told("also write the thumbnails as PNG", "-o")] = None, model: Model = None,
    verify: Annotated[bool, told("check the index and every image instead of searching")] = False,
) -> Said:  # fmt: skip
    """Search an index in words or by an image."""
    opened = mnb.Index.open(index, model=_model(model))
    if verify:
        wrong = opened.verify()
        differ = f"{len(wrong)} differ{'s' * (len(wrong) == 1)} from what was written\n"
        failure = ValueError(differ + "\n".join(wrong["path"] + ": " + wrong["problem"])) if len(wrong) else None
        data = {"ok": not failure, "problems": wrong}
        return Said("" if failure else f"all is well: {len(opened):,} {opened.of}", data, failure=failure)
    if not query:
        raise ValueError("say what to look for, such as micro-nb search index/ 'crowded small nuclei'")
    result = opened.search(query, k=k, where=where)
    shown = result[[c for c in _SEARCHED if c in result.columns]]
    text = shown.to_string(index=False, float_format="{:.4g}".format) if len(shown) else "nothing is there that meets this"
    written = _write(out, lambda: opened.show(result).png(), ".png")
    return Said(text, {"query": query, "where": where, "of": opened.of, "results": result}, (written,))


def train(
    recipe: Annotated[str, told("a .yaml file, or the name of a recipe of the package (scenes)")], *,
    out: Annotated[str | None, told("the folder of the run (default runs/NAME)", "-o")] = None,
    resume: Annotated[bool, told("go on with the run that the folder holds")] = False,
    set: Annotated[list[str] | None, told("replace a value, NAME=VALUE such as steps=100; may be given several times")] = None,
) -> Said:  # fmt: skip
    """Train from a recipe."""
    done = mnb.train(recipe, out=out, resume=resume, changes=_assignments(set))
    return Said(str(done), done.to_dict())


def evaluate(
    data_dir: Annotated[str, told("a labelled folder: index.csv, images/ and labels/, boxes.csv or points.csv")], *,
    prompts: Annotated[list[str] | None, told("what is labelled; or CLASS=WORDS, labels=WORDS for masks", many=True)] = None,
    model: Model = None, limit: Annotated[int | None, told("at most so many images, evenly spaced")] = None,
    against: Annotated[list[str] | None, told("other folders, whose prompts are absent here", many=True)] = None,
    robustness: Annotated[bool, told("also judge 8 images blurred, noisy, dark, bright, resized")] = False,
    worsened: Annotated[int, told("the same for so many images")] = 0,
    force: Annotated[bool, told("evaluate on images that were trained on; the figures are marked")] = False,
    out: Annotated[str | None, told("also write the evaluation as a page, .html", "-o")] = None,
) -> Said:  # fmt: skip
    """Measure the model on labelled images."""
    found = mnb.evaluate(
        data_dir, prompts=labelled(prompts), model=model, limit=limit, against=against or (), robustness=robustness,
        worsened=worsened, force=force,
    )  # fmt: skip
    page = f"<!doctype html><meta charset='utf-8'><title>{escape(found.name)}</title>{found._repr_html_()}"
    return Said(found.text(), found.to_dict(), (_write(out, page.encode, ".html"),))


def deidentify(
    image: Annotated[str, told("a TIFF or SVS, PNG, JPEG, or OME-Zarr")],
    out: Annotated[str, told("the copy: the same format, or any image as .ome.zarr")], /, *, overwrite: Overwrite = False,
) -> Said:  # fmt: skip
    """Write a copy of an image without personal data."""
    from ..data.deidentify import deidentify as clean

    done = clean(image, out, overwrite=overwrite)
    removed = "; ".join(done.removed) or "nothing: there was none of what is known to name persons"
    text = f"{done.path}\nremoved: {removed}\nkept: {'; '.join(done.kept)}\nnote: {done.note}"
    return Said(text, {"path": str(done.path), "removed": done.removed, "kept": done.kept, "note": done.note})


def report(
    notebook: Annotated[str, told("an .ipynb file")], *,
    out: Annotated[str | None, told("the page to write, .html or .pdf (default: the notebook's name with .html)", "-o")] = None,
    parameter: Annotated[list[str] | None, told("set a notebook parameter, NAME=VALUE; may be given several times", "-p")] = None,
    template: Annotated[Literal["page", "paper"], told("a paper has numbered figures, methods and evidence")] = "page",
    timeout: Annotated[float | None, told("seconds a cell may take")] = None,
) -> Said:  # fmt: skip
    """Run a notebook and keep it as one page that needs no network and no kernel."""
    target = out or Path(notebook).with_suffix(".html").name
    made = mnb.report(notebook, target, parameters=_assignments(parameter), template=template, timeout=timeout)
    return Said(written=(made,))


def demo(*, out: Annotated[str, told("the page to write", "-o")] = "quickstart.html") -> Said:
    """Run the quickstart notebook and say where its report is."""
    notebook, page = _notebooks() / QUICKSTART, Path(out)
    page.parent.mkdir(parents=True, exist_ok=True)
    return Said(f"the report is in {mnb.report(notebook, page).resolve()}")


def lab() -> None:
    """Open JupyterLab on the notebooks."""
    code = subprocess.call([sys.executable, "-m", "jupyterlab", "--notebook-dir", str(_notebooks())])
    if code:
        raise ReportError(f"JupyterLab ended with exit code {code}; where it is missing, pip install 'micro-nb[notebook]'")


COMMANDS: tuple[Any, ...] = (
    info, overview, convert, quality, segment, parse, index, search, train, evaluate, deidentify, report, demo, lab,
)  # fmt: skip


def labelled(words: list[str] | None) -> list[str] | dict[str, str] | None:
    """Prompts of the command line: words, or ``class=words`` for classes of boxes and ``labels=words`` for label images.

    >>> labelled(["RBC=red blood cell", "labels=nucleus"])
    {'RBC': 'red blood cell', 'labels': 'nucleus'}
    """
    named = [(name, text) for name, equals, text in (word.partition("=") for word in words or ()) if equals]
    if named and len(named) < len(words or ()):
        raise ValueError(f"--prompts {' '.join(words or ())}: write either words alone, or class=words for all of them")
    return dict(named) if named else words or None


def _presence(found: mnb.Objects, prompted: bool) -> list[str]:
    """A line for what the picture was recognised as, and for each prompt, with what to do about words that were not read."""
    lines = [f"{kind}: {what['name']} ({what['probability']:.2f})" for kind, what in found.made_by.get("recognised", {}).items()]
    presence: Any = found.presence
    for row in presence.itertuples():
        p = f" (p = {row.p_value:.3g})" if row.p_value == row.p_value and row.p_value is not None else ""
        several = f"; it names several things ({row.unread}): give each as a prompt of its own"
        partly = f": all of {row.read_as}, as {row.unread!r} was not read; filter them by their measurements"
        advice = (partly if row.read_as else several) if row.unread else ""
        lines.append(f"{row.name}: {row.status}{p}, {row.count:,} objects{advice}" if prompted else f"{row.name}: {row.count:,}")
    return lines


def _assignments(texts: list[str] | None) -> dict[str, Any]:
    """``NAME=VALUE``, the value as JSON where it is."""
    found: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"{text!r}: write it as name=value, such as steps=100")
        try:
            found[name] = _json.loads(value)
        except _json.JSONDecodeError:
            found[name] = value
    return found


def _write(path: str | None, data: Callable[[], bytes], suffix: str) -> Path | None:
    from .overview import write

    return write(path, data(), suffix) if path else None


def _channel(channel: Any) -> str:
    waves = [f"{what} {nm:g} nm" for what, nm in (("excitation", channel.excitation_nm), ("emission", channel.emission_nm)) if nm]
    details = ", ".join(filter(None, [channel.color, *waves]))
    return f"{channel.name} ({details})" if details else str(channel.name)


def _model(name: str | None) -> Any:
    return mnb.load_model(name) if name else None


def _large(img: MicroImage) -> bool:
    return img.plane_shape[0] * img.plane_shape[1] > _IN_MEMORY_PX


def _stem(img: MicroImage) -> str:
    return Path(img.name.removesuffix(".zip")).stem.removesuffix(".ome")


def _described(img: MicroImage) -> dict[str, Any]:
    return {
        "name": img.name, "uri": img.uri, "format": img.source.format, "sizes": img.sizes, **img.info.to_dict(),
        "pixel_size_source": img.pixel_size_source, "facts": dict(img.metadata), "labels": list(img.labels),
        "content_id": img.content_id,
    }  # fmt: skip


def _notebooks() -> Path:
    for place in (Path.cwd() / "notebooks", Path(mnb.__file__).parents[1] / "notebooks"):
        if (place / QUICKSTART).is_file():
            return place
    raise ReportError(f"the notebooks with {QUICKSTART} are not here; they come with the source: run this in a checkout")
