"""``Look``: one plane of an image as people see it. Chosen once per image: plane, channels, colours, windows, level by zoom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image

from ..data.image import MicroImage
from ..data.source import Channel
from ..errors import AxesError
from .composite import channel_colors, composite
from .contrast import Window, find_window, is_sane, stretch
from .frame import Frame, LevelBox, level_for
from .png import Color
from .reduce import Reduced, reduce_plane

Inner = tuple[float, float, float, float]
MOST_CHANNELS = 6
_SAMPLE = 1 << 20
_DIRECT = 1 << 23
_COARSE_EDGE = 2048
_seen: WeakKeyDictionary[MicroImage, dict[tuple[int, ...] | None, Look]] = WeakKeyDictionary()


class Look:
    """How one image is drawn. Kept per image, so that zooming keeps its contrast; reads pixels only when drawn.

    Attributes
    ----------
    plane : the image narrowed to the middle z and the first t.
    chosen : axis -> (position, length) of the z and t that were chosen.
    shown : positions of the channels that are drawn.
    colors : one a shown channel; unused where the image is a colour picture.
    """

    def __init__(self, img: MicroImage, shown: tuple[int, ...] | None = None) -> None:
        middle = {a: (img.sizes[a] // 2 if a == "z" else 0) for a in ("t", "z") if a in img.axes}
        self.chosen = {a: (k, img.sizes[a]) for a, k in middle.items()}
        # Never ``img`` itself: looks are kept in a table with weak keys.
        self.plane = img.isel(t=middle.get("t"), z=middle.get("z")) if middle else MicroImage(img.source)
        self.rgb = img.rgb and shown is None
        self.shown = shown or tuple(range(3 if self.rgb else min(len(img.channels), MOST_CHANNELS)))
        self.colors: tuple[Color, ...] = channel_colors(self.channels)
        self._coarse: dict[int, Reduced] = {}

    @classmethod
    def of(cls, img: MicroImage, channels: Sequence[int | str] | int | str | None = None) -> Look:
        """The kept look of ``img``; ``channels`` by name or position.

        Raises
        ------
        AxesError : a channel the image does not have.
        """
        shown = _positions(img, channels)
        kept = _seen.setdefault(img, {})
        if shown not in kept:
            kept[shown] = cls(img, shown)
        return kept[shown]

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The shown channels."""
        return tuple(self.plane.channels[k] for k in self.shown)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """One display window a shown channel, from a coarse sample of the whole plane; a colour picture has one for all."""
        if self.rgb:
            return (self._rgb_window(),) * len(self.shown)
        found = []
        for position, channel in zip(self.shown, self.channels, strict=True):
            values = self.sample(position)
            stored = channel.window
            found.append(stored if stored is not None and is_sane(stored, values) else find_window(values))
        return tuple(found)

    def draw(self, frame: Frame) -> np.ndarray:
        """``(y, x, 3)`` uint8 of the frame, read from the level that suits it."""
        planes = []
        for group in self._groups():
            pixels, inner = self.read(group, frame)
            planes += [fit(plane, inner, frame.shape, window) for plane, window in zip(pixels, self._windows(group), strict=True)]
        return np.stack(planes, axis=-1) if self.rgb else composite(planes, self.colors)

    def level(self, frame: Frame) -> int:
        """The pyramid level that :meth:`draw` reads for ``frame``."""
        return level_for(self.plane.info, frame)

    @property
    def sampled(self) -> bool:
        """Whether the coarse picture stands on some of the stored chunks only (a huge plane without pyramid)."""
        return any(reduced.sampled for reduced in self._coarse.values())

    def sample(self, channel: int) -> np.ndarray:
        """About a million pixels from all over the plane, for contrast: a coarse level, or a grid of small blocks."""
        source, lead = self.plane.source, self._lead(slice(channel, channel + 1))
        level = self.plane.level_for(_SAMPLE)
        h, w = source.info.levels[level].shape[-2:]
        if h * w <= _SAMPLE * 4:
            return source.read(level, (*lead, slice(0, h), slice(0, w)))
        edge = 256
        rows, cols = (np.unique(np.linspace(0, max(n - edge, 0), 4).astype(int)) for n in (h, w))
        blocks = [source.read(level, (*lead, slice(y, min(y + edge, h)), slice(x, min(x + edge, w)))) for y in rows for x in cols]
        return np.concatenate([block.ravel() for block in blocks])

    def _groups(self) -> list[slice]:
        """Channels that are read together: a colour picture's, which are stored together; else one by one."""
        return [slice(0, 3)] if self.rgb else [slice(k, k + 1) for k in self.shown]

    def _windows(self, group: slice) -> tuple[Window, ...]:
        return self.windows if self.rgb else (self.windows[self.shown.index(group.start)],)

    def read(self, group: slice, frame: Frame) -> tuple[np.ndarray, Inner]:
        """Pixels ``(c, y, x)`` of channels ``group`` that cover the frame, and where it lies in them; at most a few times finer
        than it."""
        info, lead = self.plane.info, self._lead(group)
        box = LevelBox.find(info, frame, level_for(info, frame))
        if math.prod(box.shape) <= _DIRECT:
            pixels = self.plane.source.read(box.level, (*lead, box.rows, box.cols))
            return pixels.reshape(-1, *box.shape), box.inner
        if min(frame.scale) >= 0.7 * self._coarse_factor and len(info.levels) == 1:
            reduced = self._whole(group)
            return reduced.pixels, _shrunk((frame.x0, frame.y0, frame.x1, frame.y1), reduced)
        factor = max(1, int(min(box.shape[0] / frame.shape[0], box.shape[1] / frame.shape[1])))
        reduced = reduce_plane(self.plane.source, factor, rows=box.rows, cols=box.cols, lead=lead, level=box.level)
        return reduced.pixels, _shrunk(box.inner, reduced)

    @property
    def _coarse_factor(self) -> int:
        return max(1, math.ceil(max(self.plane.plane_shape) / _COARSE_EDGE))

    def _whole(self, group: slice) -> Reduced:
        """The kept coarse picture of a plane without pyramid."""
        if group.start not in self._coarse:
            h, w = self.plane.plane_shape
            self._coarse[group.start] = reduce_plane(
                self.plane.source, self._coarse_factor, rows=slice(0, h), cols=slice(0, w), lead=self._lead(group)
            )
        return self._coarse[group.start]

    def _lead(self, group: slice) -> tuple[slice, ...]:
        return (group,) if "c" in self.plane.axes else ()

    def _rgb_window(self) -> Window:
        if self.plane.dtype == np.uint8:
            return 0.0, 255.0
        values = np.concatenate([self.sample(k).ravel() for k in self.shown])
        if self.plane.dtype.kind == "f" and np.nanmin(values) >= 0 and np.nanmax(values) <= 1:
            return 0.0, 1.0
        return find_window(values)


def fit(pixels: np.ndarray, inner: Inner, shape: tuple[int, int], window: Window) -> np.ndarray:
    """The box ``inner`` (left, upper, right, lower) of ``(y, x)`` pixels as ``shape`` uint8: averaged, or enlarged."""
    left, upper, right, lower = inner
    grey = Image.fromarray(np.ascontiguousarray(stretch(pixels, window)))
    down = right - left > shape[1] or lower - upper > shape[0]
    how = Image.Resampling.HAMMING if down else Image.Resampling.NEAREST
    return np.asarray(grey.resize((shape[1], shape[0]), how, box=inner))


def _shrunk(inner: Inner, reduced: Reduced) -> Inner:
    h, w = reduced.pixels.shape[-2:]
    left, upper, right, lower = (v / reduced.factor for v in inner)
    return min(left, w - 0.1), min(upper, h - 0.1), min(right, w), min(lower, h)


def _positions(img: MicroImage, channels: Sequence[int | str] | int | str | None) -> tuple[int, ...] | None:
    if channels is None:
        return None
    names = [c.name for c in img.channels]
    wanted = [channels] if isinstance(channels, int | str) else list(channels)
    found = []
    for item in wanted:
        by_name = [k for k, name in enumerate(names) if isinstance(item, str) and name.lower() == item.lower()]
        by_place = [item % len(names)] if isinstance(item, int) and -len(names) <= item < len(names) else []
        if not by_name and not by_place:
            raise AxesError(f"channel {item!r} is not one of {', '.join(names)} (0..{len(names) - 1})")
        found.append((by_name or by_place)[0])
    return tuple(found)
