"""What every :class:`Source` keeps, whatever its format: inherit :class:`SourceContract` and say what the file holds.

    class TestMyFormat(SourceContract):
        @pytest.fixture
        def case(self, tmp_path):
            write_my_format(tmp_path / "a.my", pixels)
            return Case(lambda: open_my(Location.of(tmp_path / "a.my")), pixels, "cyx", change=lambda: write_my_format(...))

A fixture with ``params`` runs the whole suite for each variant of the format.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micro_nb.data.axes import canonical
from micro_nb.data.image import MicroImage
from micro_nb.data.source import Index, Source
from micro_nb.errors import AxesError

fast = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class Case:
    """One stored image and the truth about it.

    Attributes
    ----------
    open : makes a fresh source of the stored image; called several times.
    expected : pixels of level 0 in canonical axes, bit for bit (a lossy format gives what an independent decoder gives).
    axes : canonical axes of ``expected``.
    coarser : pixels of level 1, 2, ...; empty where only shapes are to be checked.
    n_levels : how many levels there are.
    pixel_size : what the source must say, µm by axis.
    channels : names the source must give; None does not check.
    change : alters a stored pixel in place; None where the format's content id is not to be checked.
    """

    open: Callable[[], Source]
    expected: np.ndarray
    axes: str
    coarser: tuple[np.ndarray, ...] = ()
    n_levels: int = 1
    pixel_size: dict[str, float] | None = None
    channels: tuple[str, ...] | None = None
    change: Callable[[], None] | None = None
    _kept: list[Source] = field(default_factory=list)

    @property
    def source(self) -> Source:
        """One source, opened once."""
        if not self._kept:
            self._kept.append(self.open())
        return self._kept[0]

    @property
    def levels(self) -> tuple[np.ndarray, ...]:
        """The known pixels, finest first."""
        return (self.expected, *self.coarser)


def indices(shape: tuple[int, ...]) -> st.SearchStrategy[Index]:
    """Boxes inside ``shape``; single pixels, rims and the whole included."""

    def along(n: int) -> st.SearchStrategy[slice]:
        ends = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
        return st.one_of(ends.map(lambda e: slice(min(e), max(e) + 1)), st.just(slice(0, n)), st.just(slice(n - 1, n)))

    return st.tuples(*(along(n) for n in shape))


def whole(shape: tuple[int, ...]) -> Index:
    return tuple(slice(0, n) for n in shape)


class SourceContract:
    """Inherit, and override the fixture ``case``."""

    @pytest.fixture
    def case(self) -> Case:
        raise NotImplementedError("a format's test gives its own case")

    def test_metadata_says_what_the_file_holds(self, case: Case) -> None:
        info = case.source.info
        assert "".join(info.axes) == case.axes
        assert info.axes == canonical(info.axes)
        assert info.shape == case.expected.shape
        assert np.dtype(info.dtype) == case.expected.dtype
        assert len(info.levels) == case.n_levels
        assert (dict(info.pixel_size) if info.pixel_size else None) == (
            pytest.approx(case.pixel_size) if case.pixel_size else None
        )
        assert (info.pixel_size is None) == (info.pixel_size_source is None)
        assert len(info.channels) == info.sizes.get("c", 1)
        if case.channels is not None:
            assert tuple(channel.name for channel in info.channels) == case.channels
        assert case.source.format
        assert json.dumps(info.to_dict())
        assert json.dumps(dict(info.facts))

    def test_metadata_needs_no_pixels_and_stays_the_same(self, case: Case) -> None:
        assert case.source.info is case.source.info or case.source.info.to_dict() == case.source.info.to_dict()
        assert case.open().info.to_dict() == case.source.info.to_dict()

    def test_levels_are_consistent(self, case: Case) -> None:
        info = case.source.info
        first = info.levels[0]
        assert first.scale == (1.0,) * len(info.axes)
        assert first.translation == (0.0,) * len(info.axes)
        for level in info.levels:
            assert len(level.shape) == len(level.chunks) == len(level.scale) == len(level.translation) == len(info.axes)
            assert all(chunk >= 1 for chunk in level.chunks)
            for axis, n, n0, scale in zip(info.axes, level.shape, info.shape, level.scale, strict=True):
                if axis in "zyx":
                    assert abs(n * scale - n0) <= scale, f"level of {n} px at scale {scale} does not cover {n0} px"
                else:
                    assert (n, scale) == (n0, 1.0)
        for fine, coarse in zip(info.levels, info.levels[1:], strict=False):
            assert coarse.shape[-2] * coarse.shape[-1] < fine.shape[-2] * fine.shape[-1]

    def test_whole_level_reads_exactly(self, case: Case) -> None:
        for k, expected in enumerate(case.levels):
            got = case.source.read(k, whole(expected.shape))
            assert got.dtype == expected.dtype
            assert got.dtype.isnative
            np.testing.assert_array_equal(got, expected)

    def test_every_level_is_readable_in_its_shape(self, case: Case) -> None:
        for k, level in enumerate(case.source.info.levels):
            assert case.source.read(k, whole(level.shape)).shape == level.shape

    @fast
    @given(data=st.data())
    def test_any_box_reads_exactly(self, case: Case, data: st.DataObject) -> None:
        k = data.draw(st.integers(0, len(case.levels) - 1))
        index = data.draw(indices(case.levels[k].shape))
        got = case.source.read(k, index)
        expected = case.levels[k][index]
        assert got.shape == expected.shape
        np.testing.assert_array_equal(got, expected)

    def test_rims_read_exactly(self, case: Case) -> None:
        n = case.expected.ndim
        for axis in range(n):
            size = case.expected.shape[axis]
            for edge in (slice(0, 1), slice(size - 1, size), slice(max(0, size - 3), size)):
                index = whole(case.expected.shape)[:axis] + (edge,) + whole(case.expected.shape)[axis + 1 :]
                np.testing.assert_array_equal(case.source.read(0, index), case.expected[index])

    def test_open_ended_slices_are_filled_in(self, case: Case) -> None:
        got = case.source.read(0, (slice(None),) * case.expected.ndim)
        np.testing.assert_array_equal(got, case.expected)

    def test_threads_read_the_same(self, case: Case) -> None:
        shape = case.expected.shape
        rows = [whole(shape)[:-2] + (slice(y, min(y + 7, shape[-2])), slice(0, shape[-1])) for y in range(0, shape[-2], 7)][:40]
        with ThreadPoolExecutor(4) as pool:
            for index, got in zip(rows, pool.map(lambda index: case.source.read(0, index), rows), strict=True):
                np.testing.assert_array_equal(got, case.expected[index])

    def test_a_returned_array_belongs_to_the_caller(self, case: Case) -> None:
        index = whole(case.expected.shape)
        got = case.source.read(0, index)
        if got.flags.writeable:
            got[...] = 0
        np.testing.assert_array_equal(case.source.read(0, index), case.expected)

    def test_a_bad_index_is_refused(self, case: Case) -> None:
        good = whole(case.expected.shape)
        for bad in (good[:-1], good + (slice(0, 1),), good[:-1] + (slice(1, 1),), good[:-1] + (slice(0, None, 2),)):
            with pytest.raises(AxesError):
                case.source.read(0, bad)

    def test_content_id_is_stable(self, case: Case) -> None:
        first, again = MicroImage(case.open()), MicroImage(case.open())
        assert first.content_id == again.content_id
        assert first.content_id.startswith("sampled:")
        assert first.verify() == again.verify()
        assert first.verify().startswith("full:")

    def test_content_id_follows_the_content(self, case: Case) -> None:
        before = MicroImage(case.open())
        sampled, full = before.content_id, before.verify()
        before.source.close()
        if case.change is not None:
            case.change()
            after = MicroImage(case.open())
            assert after.verify() != full
            assert after.content_id != sampled

    def test_an_image_drops_singletons_and_keeps_the_rest(self, case: Case) -> None:
        img = MicroImage(case.source)
        kept = "".join(a for a, n in zip(case.axes, case.expected.shape, strict=True) if n > 1 or a in "yx")
        assert "".join(img.axes) == kept
        squeezed = case.expected.reshape([n for a, n in zip(case.axes, case.expected.shape, strict=True) if a in kept])
        np.testing.assert_array_equal(img.read(), squeezed)
        np.testing.assert_array_equal(img.data.values, squeezed)
        np.testing.assert_array_equal(img.data[..., -1, :].values, squeezed[..., -1, :])

    def test_labels_are_sources_of_whole_numbers(self, case: Case) -> None:
        for name, source in case.source.labels().items():
            assert name
            assert np.dtype(source.info.dtype).kind in "uib"
            assert source.read(0, whole(source.info.shape)).shape == source.info.shape

    def test_closing_twice_is_fine(self, case: Case) -> None:
        source = case.open()
        source.read(0, whole(source.info.shape))
        source.close()
        source.close()
