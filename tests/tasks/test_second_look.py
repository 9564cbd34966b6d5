"""The second look: finds what is much smaller than the rest, where it shows, and nowhere else."""

import numpy as np
import pytest
import torch

import micro_nb as mnb
from micro_nb.tasks.look.decode import Decoding
from micro_nb.tasks.look.network import Tiled
from micro_nb.tasks.look.second import closer_pitch, look_closer
from micro_nb.tiles.plan import TileGrid

LARGE = [(100, 120, 40), (300, 420, 40)]
SMALL = [(200, 250, 9), (1560, 90, 9)]


class Drawn:
    """A plane of discs as a perfect network would see it at a pitch; counts the windows that are looked at."""

    def __init__(self, pitch, discs):
        self.pitch, self.discs, self.shape, self.looks = pitch, discs, (1800 // pitch, 1800 // pitch), []
        self.grid = TileGrid(self.shape, tile=768)
        self.plane = mnb.open_image(np.zeros((180, 180), np.uint8))

    def geometry(self, core):
        y, x = np.mgrid[core[0], core[1]] * self.pitch + self.pitch / 2
        out = np.zeros((4, *y.shape), np.float32)
        for cy, cx, radius in self.discs:
            inside = np.hypot(y - cy, x - cx) < radius
            out[0][inside], out[1][inside] = 1, 0.5
            out[2][inside], out[3][inside] = ((cy - y) / self.pitch)[inside], ((cx - x) / self.pitch)[inside]
        return out

    def look(self, core, halo):
        self.looks.append(core)
        geometry = self.geometry(core)
        half = tuple(-(-n // 2) for n in geometry.shape[1:])
        return Tiled(geometry, np.full((2, *half), 5, np.int8), np.array([1.0, 2.0], np.float32))


def look(first, finer, labels):
    return look_closer(labels, 80.0, lambda place: first.geometry(place)[0], first, finer, Decoding())


@pytest.fixture
def labels():
    """What the first look found: the large ones, and of a small one only a corner."""
    y, x = np.mgrid[:1800, :1800]
    out = np.zeros((1800, 1800), np.int32)
    for k, (cy, cx, radius) in enumerate(LARGE, start=1):
        out[np.hypot(y - cy, x - cx) < radius] = k
    out[196:204, 246:254] = 3
    return out


def test_small_objects_are_outlined_and_replace_what_was_found_of_them(labels):
    first, finer = Drawn(8, LARGE + SMALL), Drawn(closer_pitch(8), LARGE + SMALL)
    kept, found = look(first, finer, labels)
    assert kept.tolist() == [True, True, True, False]
    assert len(found.certainty) == 2
    assert found.pooled.tolist() == [[5, 10], [5, 10]]
    areas = sorted(int((patch == k).sum()) for _, patch in found.patches for k in range(1, 3) if (patch == k).any())
    assert areas == pytest.approx([254, 254], rel=0.12)
    assert len(finer.looks) == 2 < len(TileGrid(finer.shape, tile=256))


def test_where_nothing_small_shows_nothing_is_looked_at_again(labels):
    first, finer = Drawn(8, LARGE), Drawn(3, LARGE)
    labels[labels == 3] = 0
    assert look(first, finer, labels) is None
    assert not finer.looks


def test_a_plane_at_full_resolution_has_no_closer_look():
    assert [closer_pitch(p) for p in (1, 2, 3, 4, 8)] == [1, 1, 1, 1, 3]


PURPLE, GREY, GLASS = (150, 90, 220), (120, 120, 120), (230, 230, 225)


class Painted(Drawn):
    """A smear in colour, whose small discs are blurred: their foreground is 0.8."""

    def __init__(self, pitch, discs, colours):
        super().__init__(pitch, discs)
        self.picture = np.full((1800, 1800, 3), GLASS, np.uint8)
        y, x = np.mgrid[:1800, :1800]
        for (cy, cx, radius), colour in zip(discs, colours, strict=True):
            self.picture[np.hypot(y - cy, x - cx) < radius] = colour
        self.plane = mnb.open_image(self.picture, axes="yxc")

    def geometry(self, core):
        out = super().geometry(core)
        y, x = np.mgrid[core[0], core[1]] * self.pitch + self.pitch / 2
        for cy, cx, _ in SMALL:
            out[0][np.hypot(y - cy, x - cx) < 12] *= 0.8
        return out

    def pixels(self, place):
        rows, cols = (slice(s.start * self.pitch, s.stop * self.pitch, self.pitch) for s in place)
        part = torch.from_numpy(self.picture[rows, cols] / np.float32(255)).permute(2, 0, 1)[None]
        return part.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_of_blurred_specks_in_a_smear_the_stained_one_is_kept_and_the_grey_one_is_dust(labels):
    discs, colours = LARGE + SMALL, [PURPLE, PURPLE, GREY, PURPLE]
    kept, found = look(Painted(8, discs, colours), Painted(3, discs, colours), labels)
    assert kept.tolist() == [True, True, True, False], "what was found of the dust at first is dropped"
    assert len(found.certainty) == 1
    rows, cols = next(place for place, patch in found.patches if (patch == 1).any())
    assert rows.start < 1560 < rows.stop
    assert cols.start < 90 < cols.stop


def test_where_no_colour_tells_what_is_blurred_is_not_believed(labels):
    discs, colours = LARGE + SMALL, [GREY] * 4
    assert look(Painted(8, discs, colours), Painted(3, discs, colours), labels) is None


def test_small_objects_are_let_out_to_where_they_are_faintly_seen(labels):
    class Soft(Drawn):
        def geometry(self, core):
            out = super().geometry(core)
            y, x = np.mgrid[core[0], core[1]] * self.pitch + self.pitch / 2
            for cy, cx, radius in SMALL:
                out[0][(np.hypot(y - cy, x - cx) < radius + 4) & (out[0] == 0)] = 0.3
            return out

    _, plain = look(Drawn(8, LARGE + SMALL), Drawn(3, LARGE + SMALL), labels)
    _, soft = look(Drawn(8, LARGE + SMALL), Soft(3, LARGE + SMALL), labels)
    areas = [sum(int((patch > 0).sum()) for _, patch in found.patches) for found in (plain, soft)]
    assert areas[1] == pytest.approx(2 * np.pi * 13**2, rel=0.15)
    assert areas[0] == pytest.approx(2 * np.pi * 9**2, rel=0.15)
