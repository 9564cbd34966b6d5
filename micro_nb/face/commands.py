"""The commands of ``micro-nb`` about images, models and notebooks. What they use loads when they run, so that help is instant."""

from __future__ import annotations

import json as _json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

import micro_nb as mnb

from ..errors import MissingExtraError, ReportError, WriteError
from .said import AsJson, Model, Out, Overwrite, Picture, Said, Several

if TYPE_CHECKING:
    import pandas as pd

    from ..data.image import MicroImage

QUICKSTART = "01_quickstart.ipynb"
_IN_MEMORY_PX = 1 << 26
_SEARCHED = ("rank", "score", "y0", "x0", "y1", "x1", "path")


def info(
    picture: Picture,
) -> Said:
    """What an image file holds: size, axes, pixel size, channels, facts."""
    from ..render.card import facts

    img = picture.open()
    lines = {"name": img.name, **facts(img)}
    if not img.rgb:
        lines["channels"] = ", ".join(map(_channel, img.channels))
    lines |= {k.replace("_", " "): _short(v) for k, v in img.metadata.items() if k not in lines}
    width = max(map(len, lines))
    return Said("\n".join(f"{name:<{width}}  {value}" for name, value in lines.items()), _described(img))


def overview(
    picture: Picture, *, out: Out = None, width: int = 1200, region: str | None = None, channel: list[str] | None = None,
    labels: str | None = None,
) -> Said:  # fmt: skip
    """A picture of an image of any size, with a scale bar, as PNG.

    Parameters
    ----------
    out : the PNG to write (default: the image's name with .png, here)
    width : width of the picture in pixels
    region : a part of it, such as 'left half' or 'top left'
    channel : a channel to show; may be given several times
    labels : name of label images stored with the image, drawn as outlines
    """
    img = picture.plane()
    look = mnb.overview(img, labels=labels, channels=channel, region=region, width=width)
    return Said(written=(look.save(Path(out or _stem(img) + ".png")),))


def convert(picture: Picture, out: str, *, chunk: int = 512, shard: int | None = None, overwrite: Overwrite = False) -> Said:
    """Write an image as OME-Zarr 0.5 with a pyramid; whole or absent.

    Parameters
    ----------
    out : the store to make, such as x.ome.zarr or s3://bucket/x.ome.zarr
    chunk : edge of a chunk in pixels
    shard : edge of a file in pixels (default 4 chunks)
    """
    if not out.rstrip("/").endswith(".zarr"):
        raise WriteError(f"{out}: images are written as OME-Zarr; give a name that ends in .ome.zarr")
    made = mnb.save_image(picture.open(), out, chunk=chunk, shard=shard, overwrite=overwrite)
    return Said(str(made), {"path": str(made), **_described(mnb.open_image(made))})


def quality(picture: Picture, *, out: Out = None, table: str | None = None, channel: int | str | None = None) -> Said:
    """Whether an image is fit to be measured: focus, saturation, noise, background.

    Parameters
    ----------
    out : write the map over the image as PNG
    table : write the table, a row a tile, as .csv or .parquet
    channel : judge this channel alone
    """
    q = mnb.quality(picture.plane(), channel=channel)
    if table:
        _write_table(q.table, Path(table))
    if out:
        _write(Path(out), q.png())
    return Said(q.verdict, {"verdict": q.verdict, "ok": q.ok, "facts": dict(q.facts), "table": q.table}, (table, out))


def segment(
    picture: Picture, *, out: Out = None, labels: str | None = None, channel: int | str | None = None,
    overwrite: Overwrite = False, json: AsJson = False,
) -> Said:  # fmt: skip
    """Find and measure objects without trained weights; a row an object.

    Parameters
    ----------
    out : the table to write, .csv or .parquet (default: the image's name with .csv, here)
    labels : also write the image with its labels as this OME-Zarr store
    channel : the channel that shows the objects
    """
    img = picture.plane()
    with tempfile.TemporaryDirectory(prefix="micro-nb-") as folder:
        found = mnb.segment(img, channel=channel, out=f"{folder}/labels.ome.zarr" if _large(img) else None)
        table = mnb.measure(img, found)
        if labels:
            mnb.save_image(img, labels, labels={"objects": found}, overwrite=overwrite)
    out = out or (None if json else _stem(img) + ".csv")
    if out:
        _write_table(table, Path(out))
    return Said(f"{len(table):,} objects", table, (out, labels))


def parse(
    picture: Picture, prompt: list[str] | None = None, *, out: Out = None,
    outlines: Annotated[str | None, Parameter(name="--picture")] = None, channel: int | str | None = None,
    diameter: float | None = None, model: Model = None, json: AsJson = False,
) -> Said:  # fmt: skip
    """Find what prompts name with Micro-D1; without a prompt, everything is found and named.

    Parameters
    ----------
    prompt : what to find, each in quotes
    out : where objects are written: .csv .parquet .geojson .json (COCO) or .zarr, with labels
    outlines : also write a picture with outlines, as PNG
    channel : the channel that shows the objects
    diameter : typical object diameter in pixels, where the estimate is wrong
    """
    img = picture.plane()
    target = Path(out or _stem(img) + ".csv") if out or not json else None
    if target is not None and target.exists():
        raise WriteError(f"{target}: already exists; choose another name with -o")
    store = target if target is not None and target.suffix == ".zarr" else None
    if _large(img) and store is None and not json:
        raise WriteError(f"{img.name} is so large that its labels are written to disk: say -o objects.zarr")
    found = mnb.parse(img, prompt or None, out=store, model=_model(model), channel=channel, diameter_px=diameter)
    if target is not None and store is None:
        _write_table(found.table, target) if target.suffix in (".csv", ".parquet") else found.save(target)
    if outlines:
        mnb.overview(img, objects=found).save(outlines)
    about = {key: found.made_by.get(key) for key in ("recognised", "scale", "weights")}
    presence: Any = found.presence
    return Said(
        "\n".join(_presence(found, bool(prompt))), {"presence": presence, **about, "objects": found.table}, (target, outlines)
    )


def index(
    paths: list[str], /, *, out: Annotated[str, Parameter(alias="-o")], of: Literal["images", "tiles", "objects"] = "images",
    model: Model = None, append: bool = False, overwrite: Overwrite = False,
) -> Said:  # fmt: skip
    """Look at images, their tiles or objects once, so that they can be searched.

    Parameters
    ----------
    paths : images, or folders of images
    out : the folder to write
    of : what a row is
    append : add what is new to an index that is there
    """
    if append and overwrite:
        raise WriteError("--append adds to an index and --overwrite replaces it; say one of them")
    if append:
        made = mnb.Index.open(out, model=_model(model))
        if made.of != of and of != "images":
            raise WriteError(f"{out}: is an index of {made.of}; --of {of} cannot be added to it")
        added = made.append(paths)
    else:
        made = mnb.Index.build(paths, out, of=of, model=_model(model), overwrite=overwrite)
        added = len(made.sources)
    data = {"index": str(made.folder), "of": made.of, "rows": len(made), "images_added": added, "skipped": made.skipped}
    return Said(f"{len(made):,} {made.of}, {added:,} image{'s' * (added != 1)} added\n{made.folder}", data)


def search(
    index: str, query: str | None = None, /, *, k: Annotated[int, Parameter(name="-k")] = 5, where: str | None = None,
    verify: bool = False, out: Out = None, model: Model = None,
) -> Said:  # fmt: skip
    """Search an index in words or by an image.

    Parameters
    ----------
    index : a folder that micro-nb index wrote
    query : what to look for in words, or the path of an image
    k : how many results
    where : a condition on measurements, such as 'area_um2 > 80 and solidity > 0.9'
    verify : check the index and every image instead of searching
    out : also write the thumbnails as PNG
    """
    opened = mnb.Index.open(index, model=_model(model))
    if verify:
        problems = opened.verify()
        lines = [f"{p.path}: {p.problem}" for p in problems.itertuples()]
        wrong = ValueError("\n".join([f"{len(lines)} differ{'s' * (len(lines) == 1)} from what was written", *lines]))
        data = {"ok": not lines, "problems": problems}
        return Said("" if lines else f"all is well: {len(opened):,} {opened.of}", data, failure=wrong if lines else None)
    if not query:
        raise ValueError("say what to look for, such as micro-nb search index/ 'crowded small nuclei'")
    result = opened.search(query, k=k, where=where)
    if out:
        _write(Path(out), opened.show(result).png())
    text = "nothing meets the condition" if where else "the index is empty"
    if not result.empty:
        text = result[[c for c in _SEARCHED if c in result.columns]].to_string(index=False, float_format="{:.4g}".format)
    return Said(text, {"query": query, "where": where, "of": opened.of, "results": result}, (out,))


def train(recipe: str, *, out: Out = None, resume: bool = False, set: list[str] | None = None) -> Said:
    """Train from a recipe.

    Parameters
    ----------
    recipe : a .yaml file, or the name of a recipe of the package (scenes)
    out : the folder of the run (default runs/NAME)
    resume : go on with the run that the folder holds
    set : replace a value, NAME=VALUE such as steps=100; may be given several times
    """
    done = mnb.train(recipe, out=out, resume=resume, changes=_assignments(set))
    return Said(str(done), done.to_dict())


def evaluate(
    data_dir: str, *, prompts: Annotated[list[str] | None, Several] = None, model: Model = None, limit: int | None = None,
    against: Annotated[list[str] | None, Several] = None, robustness: bool = False, worsened: int = 0, force: bool = False,
    out: Out = None,
) -> Said:  # fmt: skip
    """Measure the model on labelled images.

    Parameters
    ----------
    data_dir : a labelled folder: index.csv, images/ and labels/, boxes.csv or points.csv
    prompts : what is labelled; or CLASS=WORDS, labels=WORDS for masks
    limit : at most so many images, evenly spaced
    against : other folders, whose prompts are absent here
    robustness : also judge 8 images blurred, noisy, dark, bright, resized
    worsened : the same for so many images
    force : evaluate on images that were trained on; the figures are marked
    out : also write the evaluation as a page, .html
    """
    if out and not out.endswith(".html"):
        raise WriteError(f"{out}: the page of an evaluation is written as .html")
    found = mnb.evaluate(
        data_dir, prompts=labelled(prompts), model=model, limit=limit, against=against or (), robustness=robustness,
        worsened=worsened, force=force,
    )  # fmt: skip
    if out:
        from html import escape

        page = f"<!doctype html><meta charset='utf-8'><title>{escape(found.name)}</title>{found._repr_html_()}"
        _write(Path(out), page.encode())
    return Said(found.text(), found.to_dict(), (out,))


def deidentify(image: str, out: str, /, *, overwrite: Overwrite = False) -> Said:
    """Write a copy of an image without personal data.

    Parameters
    ----------
    image : a TIFF or SVS, PNG, JPEG, or OME-Zarr
    out : the copy to write: the same format, or any image as .ome.zarr
    """
    from ..data.deidentify import deidentify as clean

    done = clean(image, out, overwrite=overwrite)
    removed = "; ".join(done.removed) or "nothing: there was none of what is known to name persons"
    text = f"{done.path}\nremoved: {removed}\nkept: {'; '.join(done.kept)}\nnote: {done.note}"
    return Said(text, {"path": str(done.path), "removed": done.removed, "kept": done.kept, "note": done.note})


def report(
    notebook: str, *, out: Out = None, parameter: Annotated[list[str] | None, Parameter(alias="-p")] = None,
    template: Literal["page", "paper"] = "page", timeout: float | None = None,
) -> Said:  # fmt: skip
    """Run a notebook and keep it as one page that needs no network and no kernel.

    Parameters
    ----------
    notebook : an .ipynb file
    out : the page to write, .html or .pdf (default: the notebook's name with .html, here)
    parameter : set a notebook parameter, NAME=VALUE; may be given several times
    template : the notebook as it is, or a paper with numbered figures, methods and an appendix of evidence
    timeout : seconds a cell may take
    """
    target = out or Path(notebook).with_suffix(".html").name
    made = mnb.report(notebook, target, parameters=_assignments(parameter), template=template, timeout=timeout)
    return Said(written=(made,))


def demo(*, out: Annotated[str, Parameter(alias="-o")] = "quickstart.html") -> Said:
    """Run the quickstart notebook and say where its report is.

    Parameters
    ----------
    out : the page to write
    """
    notebook, page = _notebooks() / QUICKSTART, Path(out)
    page.parent.mkdir(parents=True, exist_ok=True)
    return Said(f"the report is in {mnb.report(notebook, page).resolve()}")


def lab() -> None:
    """Open JupyterLab on the notebooks."""
    if find_spec("jupyterlab") is None:
        raise MissingExtraError("JupyterLab is not installed; try pip install 'micro-nb[notebook]'")
    code = subprocess.call([sys.executable, "-m", "jupyterlab", "--notebook-dir", str(_notebooks())])
    if code:
        raise ReportError(f"JupyterLab ended with exit code {code}")


COMMANDS: tuple[Any, ...] = (
    info, overview, convert, quality, segment, parse, index, search, train, evaluate, deidentify, report, demo, lab,
)  # fmt: skip


def labelled(words: list[str] | None) -> list[str] | dict[str, str] | None:
    """Prompts of the command line: words, or ``class=words`` for classes of boxes and ``labels=words`` for label images.

    >>> labelled(["RBC=red blood cell", "labels=nucleus"])
    {'RBC': 'red blood cell', 'labels': 'nucleus'}
    """
    pairs = [word.partition("=") for word in words or ()]
    named = [bool(equals) for _, equals, _ in pairs]
    if any(named) and not all(named):
        raise ValueError(f"--prompts {' '.join(words or ())}: write either words alone, or class=words for all of them")
    return {name: text for name, _, text in pairs} if any(named) else words or None


def _presence(found: mnb.Objects, prompted: bool) -> list[str]:
    """A line for what the picture was recognised as, and for each prompt."""
    lines = [f"{kind}: {what['name']} ({what['probability']:.2f})" for kind, what in found.made_by.get("recognised", {}).items()]
    presence: Any = found.presence
    for row in presence.itertuples():
        p = "" if row.p_value is None or row.p_value != row.p_value else f" (p = {row.p_value:.3g})"
        said = f"{row.status}{p}, {row.count:,} objects{_unread(row)}" if prompted else f"{row.count:,}"
        lines.append(f"{row.name}: {said}")
    return lines


def _unread(row: Any) -> str:
    """What to do about words of a prompt that were not read."""
    if not row.unread:
        return ""
    if not row.read_as:
        return f"; it names several things ({row.unread}): give each as a prompt of its own"
    return f": all of {row.read_as}, as {row.unread!r} was not read; filter them by their measurements"


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


def _model(name: str | None) -> Any:
    return mnb.load_model(name) if name else None


def _large(img: MicroImage) -> bool:
    return img.plane_shape[0] * img.plane_shape[1] > _IN_MEMORY_PX


def _described(img: MicroImage) -> dict[str, Any]:
    return {
        "name": img.name, "uri": img.uri, "format": img.source.format, "sizes": img.sizes, **img.info.to_dict(),
        "pixel_size_source": img.pixel_size_source, "facts": dict(img.metadata), "labels": list(img.labels),
        "content_id": img.content_id,
    }  # fmt: skip


def _channel(channel: Any) -> str:
    waves = [f"{what} {nm:g} nm" for what, nm in (("excitation", channel.excitation_nm), ("emission", channel.emission_nm)) if nm]
    details = ", ".join(filter(None, [channel.color, *waves]))
    return f"{channel.name} ({details})" if details else str(channel.name)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        value = [f"{k} = {v}" for k, v in value.items()]
    text = " ".join((", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)).split())
    return text if len(text) <= 160 else text[:157] + "..."


def _stem(img: MicroImage) -> str:
    return Path(img.name.removesuffix(".zip")).stem.removesuffix(".ome")


def _notebooks() -> Path:
    for place in (Path.cwd() / "notebooks", Path(mnb.__file__).parents[1] / "notebooks"):
        if (place / QUICKSTART).is_file():
            return place
    raise ReportError(f"the notebooks with {QUICKSTART} are not here; they come with the source: run this in a checkout")


def _write_table(table: pd.DataFrame, path: Path) -> None:
    if path.suffix not in (".csv", ".parquet"):
        raise WriteError(f"{path}: tables are written as .csv or .parquet")
    _write(path, table.to_csv(index=False).encode() if path.suffix == ".csv" else table.to_parquet(index=False))


def _write(path: Path, data: bytes) -> None:
    from ..data.atomic import writing_file

    with writing_file(path) as partial:
        partial.write_bytes(data)
