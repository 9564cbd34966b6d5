"""Generated scenes are the same however they are read, and their truth is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops
from skimage.segmentation import expand_labels

import micro_nb as mnb
from micro_nb import samples
from micro_nb.data.samples.lattice import Lattice
from micro_nb.errors import ImageNotFoundError, PlanError, UnitsError

SHAPE = (700, 900)
MAKERS = {name: getattr(samples, name) for name in ("fluorescence", "histology", "blood", "particles", "bacteria")}
SCENES = {name: make(SHAPE, seed=3) for name, make in MAKERS.items()}
each = pytest.mark.parametrize("kind", list(SCENES))


def _read(image, rows, cols, level=0):
    return image.read(level, (*(slice(None),) * (len(image.axes) - 2), rows, cols))


@each
def test_pieces_read_apart_equal_the_whole(kind):
    whole = SCENES[kind].image.read()
    again = MAKERS[kind](SHAPE, seed=3).image
    for rows in (slice(0, 512), slice(512, 700)):
        for cols in (slice(0, 300), slice(300, 900)):
            assert np.array_equal(_read(again, rows, cols), whole[..., rows, cols])


@each
@pytest.mark.parametrize("level", [0, 1])
def test_no_seam_shows_where_blocks_meet(kind, level):
    options = {"glass": False} if kind == "histology" else {}
    image = MAKERS[kind]((2300, 2300), seed=8, **options).image
    strip = _read(image, slice(0, 1024), slice(412, 612), level).astype(float).reshape(-1, 1024, 200)[0]
    jumps = np.abs(np.diff(strip, axis=1)).mean(0)
    assert jumps[99] < jumps.mean() + 5 * jumps.std()
    assert jumps[99] < 1.35 * np.median(jumps[84:115])


@each
def test_a_window_inside_a_larger_scene_has_the_objects_of_its_plan(kind):
    scene = SCENES[kind]
    labels = scene.labels.read()
    assert set(np.unique(labels)) - {0} == set(scene.table["label"])
    assert scene.count() == len(scene.table)


@each
def test_the_table_says_what_the_labels_show(kind):
    scene = SCENES[kind]
    labels, table = scene.labels.read(), scene.table
    for row in table.sample(12, random_state=0).itertuples():
        y, x = np.nonzero(labels == row.label)
        assert len(y) == row.area_px2
        assert y.mean() == pytest.approx(row.centroid_y_px)
        assert x.mean() == pytest.approx(row.centroid_x_px)
        assert row.area_um2 == pytest.approx(row.area_px2 * scene.model.pixel_size**2)


@each
def test_counts_of_halves_add_up(kind):
    scene = SCENES[kind]
    for a, b in (("left half", "right half"), ("top half", "bottom half")):
        assert scene.count(a) + scene.count(b) == scene.count()
        assert len(scene.objects(a)) == scene.count(a)


@each
def test_the_same_seed_makes_the_same_scene_and_another_one_does_not(kind):
    first, same, other = (MAKERS[kind]((256, 256), seed=s).image for s in (5, 5, 6))
    assert np.array_equal(first.read(), same.read())
    assert first.content_id == same.content_id != other.content_id
    assert not np.array_equal(first.read(), other.read())


@each
def test_coarse_levels_look_like_the_fine_one(kind):
    image = MAKERS[kind]((1100, 1100), seed=1).image
    fine = image.read(0).astype(float)
    coarse = image.read(1).astype(float)
    mean = fine.reshape(*fine.shape[:-2], 550, 2, 550, 2).mean((-3, -1))
    assert np.corrcoef(mean.ravel(), coarse.ravel())[0, 1] > 0.93
    assert abs(mean.mean() - coarse.mean()) < 0.02 * mean.mean()


@each
def test_a_huge_scene_is_only_a_plan_until_a_window_is_read(kind):
    scene = MAKERS[kind]((100_000, 100_000), seed=2)
    window = _read(scene.image, slice(60_000, 60_100), slice(70_000, 70_050))
    assert window.shape[-2:] == (100, 50)
    assert scene.labels.sizes == {"y": 100_000, "x": 100_000}
    assert int(_read(scene.labels, slice(60_000, 60_400), slice(70_000, 70_400)).max()) < 2**31 - 1


@each
def test_the_facts_tell_how_to_make_it_again(kind):
    facts = SCENES[kind].image.metadata
    assert facts["generator"] == f"micro_nb.samples.{kind}"
    assert (facts["seed"], facts["shape"]) == (3, list(SHAPE))


def test_a_red_cell_is_seven_and_a_half_micrometres_wide():
    for pixel_size in (0.125, 0.25):
        n = round(120 / pixel_size)
        table = samples.blood((n, n), seed=0, pixel_size=pixel_size, crowding=0.2, white_cells=0).table
        area = table[table["name"] == "red blood cell"]["area_um2"].median()
        assert 2 * np.sqrt(area / np.pi) == pytest.approx(7.5, rel=0.06)


def test_particles_follow_their_size_distribution():
    scene = samples.particles((3000, 3000), seed=0, coverage=0.3, satellites=0, spread_of_sizes=0.25)
    diameter = 2 * np.sqrt(scene.table["area_um2"] / np.pi)
    assert np.median(diameter) == pytest.approx(1.2, rel=0.06)
    assert np.log(diameter).std() == pytest.approx(0.25, abs=0.06)


def test_bacteria_lie_side_by_side_as_wide_as_they_are_said_to_be():
    scene = samples.bacteria((800, 800), seed=0, width=0.9, length=3.2, pixel_size=0.065)
    labels = scene.labels.read()
    rods = [r for r in regionprops(labels) if min(r.bbox[:2]) > 0 and max(r.bbox[2:]) < 800]
    widths = np.array([4 * r.area / (np.pi * r.axis_major_length) for r in rods]) * 0.065
    assert len(rods) > 50
    assert np.median(widths) == pytest.approx(0.9, rel=0.12)
    lengths = np.array([r.axis_major_length for r in rods]) * 0.065
    assert 1.4 < np.median(lengths) < 3.2
    near = expand_labels(labels, 4)
    touching = (near[:, 1:] != near[:, :-1]) & (near[:, 1:] > 0) & (near[:, :-1] > 0)
    assert len(np.unique(near[:, 1:][touching])) > 0.7 * len(rods)


def test_nuclei_touch_in_clusters():
    labels = samples.fluorescence((600, 600), seed=1, density=0.95).labels.read()
    right, down = labels[:, 1:] - labels[:, :-1], labels[1:] - labels[:-1]
    touching = ((right != 0) & (labels[:, 1:] > 0) & (labels[:, :-1] > 0)).sum() + (
        (down != 0) & (labels[1:] > 0) & (labels[:-1] > 0)
    ).sum()
    assert touching > 20


def test_bare_glass_is_white_and_holds_nothing():
    scene = samples.histology((900, 900), seed=0)
    corner = _read(scene.image, slice(0, 8), slice(0, 8))
    assert corner.mean() > 235
    assert samples.histology((900, 900), seed=0, glass=False).count() > scene.count()


def test_a_saved_scene_comes_back_with_its_truth(tmp_path):
    scene = samples.fluorescence((300, 200), seed=9)
    back = scene.save(tmp_path / "scene.ome.zarr")
    assert np.array_equal(back.read(), scene.image.read())
    assert np.array_equal(back.labels["truth"].read().squeeze(), scene.labels.read())
    assert back.pixel_size == scene.image.pixel_size


@given(seed=st.integers(0, 2**31), y=st.integers(0, 3000), x=st.integers(0, 3000), split=st.integers(1, 299))
@settings(max_examples=25, deadline=None)
def test_a_lattice_has_the_same_points_through_any_window(seed, y, x, split):
    lattice = Lattice(seed, 1, 23.7, jitter=0.5, repel=20.0, rounds=3, apart=9.0)

    def points(box):
        p = lattice.points(box, lambda y, x: np.full(y.shape, 0.8))
        return set(zip(p.y.tolist(), p.x.tolist(), strict=True))

    whole = points((y, y + 300, x, x + 200))
    assert whole == points((y, y + split, x, x + 200)) | points((y + split, y + 300, x, x + 200))
    at = np.array(sorted(whole))
    gaps = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(at))
    assert gaps.min() >= 9.0


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: samples.fluorescence((0, 5)), PlanError),
        (lambda: samples.fluorescence((5, 5), density=1.5), PlanError),
        (lambda: samples.histology((5, 5), pixel_size=-1), UnitsError),
        (lambda: samples.blood((5, 5), crowding=2), PlanError),
        (lambda: samples.particles((5, 5), diameter=0.05), PlanError),
        (lambda: samples.bacteria((5, 5), width=0.1), PlanError),
        (lambda: samples.bacteria((5, 5), cells=1), PlanError),
        (lambda: samples.fluorescence((5, 5), colour="blue"), TypeError),
    ],
)
def test_impossible_scenes_are_refused(make, error):
    with pytest.raises(error):
        make()


def test_bundled_images_open_offline_with_what_their_documentation_states():
    cell = samples.load("cell")
    assert cell.pixel_size == {"y": 0.107, "x": 0.107}
    assert cell.metadata["licence"] == "CC0"
    tissue = mnb.samples.load("immunohistochemistry")
    assert tissue.rgb
    assert tissue.pixel_size is None


def test_images_that_need_a_download_say_so_and_fetch_nothing():
    with pytest.raises(ImageNotFoundError, match="kidney"):
        samples.load("kidneys")
    for name in samples.names(bundled=False):
        with pytest.raises(ImageNotFoundError, match="download=True"):
            samples.load(name)


@pytest.mark.parametrize("kind", SCENES)
def test_a_scene_has_an_address_that_opens_the_very_same_picture(kind):
    image = SCENES[kind].image
    assert mnb.open_image(image.uri).content_id == image.content_id
    assert image.name == kind


def test_a_scikit_image_sample_opens_by_its_address():
    image = mnb.open_image("sample:immunohistochemistry")
    assert image.content_id == mnb.samples.load("immunohistochemistry").content_id


@pytest.mark.parametrize("address", ["sample:kittens", "sample:blood?colour=2", "sample:blood?seed=red", "sample:blood?shape=9"])
def test_an_address_that_names_no_sample_is_refused(address):
    with pytest.raises(ImageNotFoundError, match=r"there are|it has|parameters are numbers"):
        mnb.open_image(address)
