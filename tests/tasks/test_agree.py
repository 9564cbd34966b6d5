"""Two looks taken together: they are laid over each other pixel by pixel, wherever a window begins."""

import numpy as np
import pytest

from micro_nb.tasks.look.agree import agreed, second_pitch


class Drawn:
    """A plane of which a perfect network says, at any pitch, how bright it is, and how far it is to a place in it."""

    def __init__(self, pitch, side=1200, place=(500, 700)):
        self.pitch, self.shape, self.place, self.side = pitch, (-(-side // pitch),) * 2, place, side

    def geometry(self, core):
        y, x = ((np.mgrid[s] + 0.5) * self.pitch for s in core)
        y, x = np.meshgrid(y, x, indexing="ij")
        offsets = [(at - here) / self.pitch for at, here in zip(self.place, (y, x), strict=True)]
        return np.stack([y / self.side, x / self.side, *offsets] * 3).astype(np.float32)

    def glance(self, core, halo):
        assert all(s.start % 8 == 0 and s.stop <= n for s, n in zip(core, self.shape, strict=True))
        return self.geometry(core)


@pytest.mark.parametrize("pitch", [1, 2, 3, 5])
def test_a_pixel_means_the_same_place_in_both_looks(pitch):
    first, second = Drawn(pitch), Drawn(second_pitch(pitch, (600, 600)))
    core = slice(40, 130), slice(73, 200)
    assert np.allclose(agreed(first, second, core), first.geometry(core), rtol=2e-3, atol=2e-3)


def test_it_does_not_matter_where_windows_begin():
    first, second = Drawn(3), Drawn(2)
    whole = agreed(first, second, (slice(0, 400), slice(0, 400)))
    for y in (slice(0, 256), slice(256, 400)):
        for x in (slice(0, 256), slice(256, 400)):
            assert np.array_equal(agreed(first, second, (y, x)), whole[:, y, x])


def test_the_second_look_is_finer_and_of_small_planes_alone():
    assert [second_pitch(p, (700, 300)) for p in (1, 2, 3, 5, 8)] == [2, 1, 2, 3, 5]
    assert [second_pitch(p, (300, 1600)) for p in (1, 2, 3, 5, 8)] == [None, None, None, 3, 5]
