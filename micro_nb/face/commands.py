"""What each command of ``micro-nb`` does. Names of the package load when they are used, so that help stays instant."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import micro_nb as mnb

from ..errors import MissingExtraError, ReportError, WriteError

if TYPE_CHECKING:
    import pandas as pd

    from ..data.image import MicroImage

QUICKSTART = "01_quickstart.ipynb"
_IN_MEMORY_PX = 1 << 26


def info(args: Namespace) -> None:
    """Facts of an image, from its header alone."""
    img = _open(args)
    if args.json:
        _print_json(_described(img))
        return
    from ..render.card import facts

    lines = {"name": img.name, **facts(img)}
    if not img.rgb:
        lines["channels"] = ", ".join(_channel(c) for c in img.channels)
    lines |= {k.replace("_", " "): _short(v) for k, v in img.metadata.items() if k not in lines}
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")


def overview(args: Namespace) -> None:
    """A picture as PNG."""
    img = _plane(args)
    out = Path(args.out or _stem(img) + ".png")
    look = mnb.overview(img, labels=args.labels, channels=args.channel, region=args.region, width=args.width)
    print(look.save(out))


def convert(args: Namespace) -> None:
    """OME-Zarr 0.5."""
    if not args.out.rstrip("/").endswith(".zarr"):
        raise WriteError(f"{args.out}: images are written as OME-Zarr; give a name that ends in .ome.zarr")
    out = mnb.save_image(_open(args), args.out, chunk=args.chunk, shard=args.shard, overwrite=args.overwrite)
    if args.json:
        _print_json({"path": str(out), **_described(mnb.open_image(out))})
    else:
        print(out)


def quality(args: Namespace) -> None:
    """Verdict, table, map."""
    q = mnb.quality(_plane(args), channel=_channel_of(args.channel))
    if args.table:
        _write_table(q.table, Path(args.table))
    if args.out:
        _write(Path(args.out), q.png())
    if args.json:
        _print_json(
            {"verdict": q.verdict, "ok": q.ok, "facts": dict(q.facts), "table": json.loads(q.table.to_json(orient="records"))}
        )
    else:
        print(q.verdict)
    for written in filter(None, (args.table, args.out)):
        print(written, file=sys.stderr)


def segment(args: Namespace) -> None:
    """Objects as a table, and as labels."""
    img = _plane(args)
    with tempfile.TemporaryDirectory(prefix="micro-nb-") as folder:
        large = img.plane_shape[0] * img.plane_shape[1] > _IN_MEMORY_PX
        labels = mnb.segment(img, channel=_channel_of(args.channel), out=f"{folder}/labels.ome.zarr" if large else None)
        table = mnb.measure(img, labels)
        if args.labels:
            mnb.save_image(img, args.labels, labels={"objects": labels}, overwrite=args.overwrite)
    out = Path(args.out or _stem(img) + ".csv") if args.out or not args.json else None
    if out is not None:
        _write_table(table, out)
    if args.json:
        _print_json(json.loads(table.to_json(orient="records")))
        return
    print(f"{len(table):,} objects")
    for written in filter(None, (out, args.labels)):
        print(written)


def report(args: Namespace) -> None:
    """One page of an executed notebook."""
    out = args.out or Path(args.notebook).with_suffix(".html").name
    values = dict(_parameter(text) for text in args.parameter)
    print(mnb.report(args.notebook, out, parameters=values, timeout=args.timeout))


def demo(args: Namespace) -> None:
    """The quickstart, executed."""
    notebook = _notebooks() / QUICKSTART
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    print(f"the report is in {mnb.report(notebook, out).resolve()}")


def lab(args: Namespace) -> None:
    """JupyterLab."""
    if find_spec("jupyterlab") is None:
        raise MissingExtraError("JupyterLab is not installed; try pip install 'micro-nb[notebook]'")
    code = subprocess.call([sys.executable, "-m", "jupyterlab", "--notebook-dir", str(_notebooks())])
    if code:
        raise ReportError(f"JupyterLab ended with exit code {code}")


def _open(args: Namespace) -> MicroImage:
    return mnb.open_image(args.image, pixel_size=args.pixel_size, axes=args.axes, series=args.series)


def _plane(args: Namespace) -> MicroImage:
    """The image, or the plane of it that the options choose; a stack is refused with the options that choose one."""
    img = _open(args).sel(t=args.t, z=args.z)
    if args.project:
        return img.plane(project=args.project)
    extra = [f"{a} ({img.sizes[a]})" for a in ("t", "z") if a in img.axes]
    if extra:
        raise mnb.errors.AxesError(
            f"{img.name} has {' and '.join(extra)} beside y and x; choose with -t and -z, or say --project max"
        )
    return img


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


def _channel_of(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdigit() else text


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        value = [f"{k} = {v}" for k, v in value.items()]
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 160 else text[:157] + "..."


def _stem(img: MicroImage) -> str:
    name = img.name
    for end in (".zip", ".zarr", ".ome", ".tif", ".tiff", ".svs", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ome"):
        name = name.removesuffix(end)
    return name


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ReportError(f"parameter {text!r}: write it as name=value")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _notebooks() -> Path:
    places = [Path.cwd() / "notebooks", Path(mnb.__file__).parents[1] / "notebooks", Path(mnb.__file__).parent / "notebooks"]
    for place in places:
        if (place / QUICKSTART).is_file():
            return place
    raise ReportError(
        f"the notebooks are not here (looked for {QUICKSTART} in {', '.join(map(str, dict.fromkeys(places)))}); "
        "they come with the source: run this in a checkout"
    )


def _write_table(table: pd.DataFrame, path: Path) -> None:
    from ..data.atomic import writing_file

    if path.suffix not in (".csv", ".parquet"):
        raise WriteError(f"{path}: tables are written as .csv or .parquet")
    with writing_file(path) as partial:
        if path.suffix == ".csv":
            table.to_csv(partial, index=False)
        else:
            table.to_parquet(partial, index=False)


def _write(path: Path, data: bytes) -> None:
    from ..data.atomic import writing_file

    with writing_file(path) as partial:
        partial.write_bytes(data)


def _print_json(value: Any) -> None:
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    """JSON has no NaN and knows nothing of NumPy."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
