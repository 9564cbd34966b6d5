"""Grey values, facts, quality, channels and changes: what they measure on arrays whose truth is known, and what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi

import micro_nb as mnb
from micro_nb.data.image import MicroImage
from micro_nb.data.region import Region
from micro_nb.errors import AxesError, EvidenceError, LanguageError
from micro_nb.session.language import parse
from micro_nb.session.measures.evaluation import check, evaluate
from micro_nb.session.measures.registry import get
from micro_nb.session.measures.results import Result
from micro_nb.session.measures.scene import Scene
from micro_nb.session.words.prose import plain, sentence

ASPECTS = (
    "overall",
    "focus",
    "saturation",
    "exposure",
    "noise",
    "contrast",
    "background",
    "artefacts",
    "marks",
    "halos",
    "edges",
    "evenness",
    "stitching",
)


def ask(img: MicroImage, expression: str, **scene: object) -> Result:
    return evaluate(parse(expression), Scene({"a": img}, "a", **scene))  # type: ignore[arg-type]


def said(img: MicroImage, expression: str) -> str:
    return plain(sentence(ask(img, expression)))


def facts_of(result: Result) -> dict[str, object]:
    return {m.quantity: m.value for m in result.measured}


@pytest.fixture(scope="module")
def ramp() -> MicroImage:
    """0 to 99 along x, in 40 rows; the first five columns of the first four rows are 255."""
    pixels = np.tile(np.arange(100, dtype="uint8"), (40, 1))
    pixels[:4, :5] = 255
    return mnb.open_image(pixels)


@pytest.fixture(scope="module")
def noise() -> MicroImage:
    return mnb.open_image(np.random.default_rng(0).normal(100, 10, (256, 256)).astype("uint8"))


@pytest.fixture(scope="module")
def nuclei() -> MicroImage:
    return mnb.samples.fluorescence((256, 256), seed=1).image


@pytest.fixture(scope="module")
def stained() -> MicroImage:
    return mnb.samples.load("immunohistochemistry")


@pytest.fixture(scope="module")
def stack(nuclei: MicroImage) -> MicroImage:
    """Seven slices, the fourth of which is sharp; they fade with depth."""
    sharp = nuclei.read().astype(float)
    rng = np.random.default_rng(1)
    planes = [
        ndi.gaussian_filter(sharp, 1.5 * abs(k - 3) + 0.01) * (1 - 0.05 * k) + rng.normal(0, 20, sharp.shape) for k in range(7)
    ]
    return mnb.open_image(np.stack(planes).clip(0, 65535).astype("uint16"), axes="zyx", pixel_size=0.5)


@pytest.fixture(scope="module")
def movie() -> MicroImage:
    """Eight frames: three discs that move, and one that divides between the fourth and the fifth."""
    y, x = np.mgrid[:160, :160]
    frames = []
    for t in range(8):
        frame = np.full((160, 160), 10.0)
        for at_y, at_x, v_y, v_x in ((30, 30, 2, 3), (120, 40, -2, 2), (60, 120, 1, -1)):
            frame += 150 * (np.hypot(y - at_y - v_y * t, x - at_x - v_x * t) < 9)
        parts = [(110, 10)] if t < 4 else [(102 - (t - 4), 7), (118 + (t - 4), 7)]
        for at_x, radius in parts:
            frame += 150 * (np.hypot(y - 120, x - at_x) < radius)
        frames.append(ndi.gaussian_filter(frame, 1))
    return mnb.open_image(np.stack(frames).clip(0, 255).astype("uint8"), axes="tyx", pixel_size=0.5)


@pytest.fixture(scope="module")
def cells(nuclei: MicroImage) -> MicroImage:
    """Nuclei in DAPI, the same in GFP, and p65 in rings around them."""
    import xarray as xr

    dapi = nuclei.read().astype(float)
    ring = ndi.binary_dilation(dapi > 1500, iterations=6) & (dapi <= 1500)
    p65 = 2000.0 * ring + 100 + np.random.default_rng(0).normal(0, 10, dapi.shape)
    pixels = np.stack([dapi, 0.8 * ndi.gaussian_filter(dapi, 1.5) + 300, p65]).clip(0, 65535).astype("uint16")
    return mnb.open_image(xr.DataArray(pixels, dims=("c", "y", "x"), coords={"c": ["DAPI", "GFP", "p65"]}), pixel_size=0.325)


class TestPixels:
    @pytest.mark.parametrize(
        ("statistic", "value"), [("min", 0), ("max", 255), ("median", 50), ("p90", 90), ("range", 255), ("p99", 99)]
    )
    def test_statistics_are_those_of_numpy(self, ramp: MicroImage, statistic: str, value: float) -> None:
        assert ask(ramp, f'pixels("{statistic}")').value == value

    def test_mean_and_spread_are_exact(self, ramp: MicroImage) -> None:
        pixels = ramp.read().astype(float)
        assert ask(ramp, 'pixels("mean")').value == pytest.approx(pixels.mean())
        assert ask(ramp, 'pixels("sd")').value == pytest.approx(pixels.std())
        assert ask(ramp, 'pixels("cv")').value == pytest.approx(100 * pixels.std() / pixels.mean())
        assert ask(ramp, 'pixels("cv")').unit == "%"

    def test_grey_values_are_printed_without_a_unit(self, ramp: MicroImage) -> None:
        assert ask(ramp, 'pixels("max")').unit == "grey value"
        assert said(ramp, 'pixels("max")') == "The largest grey value is 255."
        assert said(ramp, 'pixels("p90")') == "90 % of the grey values are at most 90."

    def test_places(self, ramp: MicroImage) -> None:
        pixels = ramp.read().astype(float)
        assert ask(ramp, 'pixels("mean", where="right")').value == pytest.approx(pixels[:, 50:].mean())
        assert ask(ramp, 'pixels("mean", where=box(0, 0, 5, 4))').value == 255
        assert ask(ramp, 'pixels("mean", where=point(60, 20))').value == 60
        whole, left, right = (ask(ramp, f'pixels("sum"{w})').value for w in ("", ', where="left"', ', where="right"'))
        assert whole == left + right

    def test_a_mask_and_what_lies_outside_it_make_the_whole(self, ramp: MicroImage) -> None:
        inside, outside = (ask(ramp, f'pixels("sum", where={w})').value for w in ('"border"', 'outside("border")'))
        assert inside + outside == ramp.read().sum()

    def test_a_polygon(self, ramp: MicroImage) -> None:
        triangle = Region.from_polygon([(0, 0), (0, 40), (40, 0)])
        y, x = np.mgrid[:40, :100]
        wanted = ramp.read()[triangle.contains(y.ravel() + 0.5, x.ravel() + 0.5).reshape(y.shape)]
        assert ask(ramp, 'pixels("mean", where="this")', marked=triangle).value == pytest.approx(wanted.mean())

    def test_inside_objects(self, nuclei: MicroImage) -> None:
        inside, outside = (ask(nuclei, f'pixels("mean", where={w}("nucleus"))').value for w in ("inside", "outside"))
        assert isinstance(inside, float)
        assert isinstance(outside, float)
        assert inside > 4 * outside

    def test_share_is_in_percent(self, ramp: MicroImage) -> None:
        result = ask(ramp, 'pixels("share", at=">= 255")')
        assert (result.value, result.unit) == (0.5, "%")
        assert (
            said(ramp, 'pixels("share", at=">= 255")')
            == "0.5 % of the pixels, 20 in all, are saturated: they have the largest grey value there can be, 255."
        )
        assert ask(ramp, 'pixels("share", at="< 50")').value == pytest.approx(100 * float((ramp.read() < 50).mean()))
        assert said(ramp, 'pixels("share", at="< 50")') == "49.5 % of the pixels, 1980 in all, have a grey value below 50."

    def test_limits_may_be_statistics(self, ramp: MicroImage) -> None:
        pixels = ramp.read().astype(float)
        share = 100 * float((pixels > pixels.mean() + 2 * pixels.std()).mean())
        assert ask(ramp, 'pixels("share", at="> mean + 2 * sd")').value == pytest.approx(share)

    def test_saturated_pixels_of_sixteen_bits_have_the_largest_value_that_can_be_stored(self) -> None:
        pixels = np.full((40, 50), 1000, "uint16")
        pixels[0, :10] = 65535
        img = mnb.open_image(pixels)
        assert ask(img, 'pixels("share", at="saturated")').value == 0.5
        assert ask(img, 'pixels("share", at=">= 255")').value == 0.5
        assert "65,535" in said(img, 'pixels("share", at=">= 255")')
        assert ask(img, 'pixels("share", at=">= 999")').value == 100

    def test_a_camera_of_twelve_bits_saturates_at_its_own_top(self) -> None:
        pixels = np.full((40, 50), 1000, "uint16")
        pixels[0, :10] = 4095
        assert ask(mnb.open_image(pixels), 'pixels("share", at="saturated")').value == 0.5

    def test_histogram_carries_its_bars(self, ramp: MicroImage) -> None:
        result = ask(ramp, 'pixels("histogram")')
        assert sum(result.main.found["histogram"]["counts"]) == 4000
        assert result.found.table is not None
        assert result.found.table["count"].sum() == 4000

    def test_channels(self, stained: MicroImage) -> None:
        assert ask(stained, 'pixels("mean", channel="red")').value == pytest.approx(stained.read()[0].mean())
        assert said(stained, 'pixels("mean", channel="red")') == "The mean grey value in channel red is 177."
        assert "samples" in said(stained, 'pixels("share", at=">= 255")')

    def test_what_cannot_be_measured_says_why(self, ramp: MicroImage, stack: MicroImage) -> None:
        with pytest.raises(EvidenceError, match="no statistic 'wobble'"):
            ask(ramp, 'pixels("wobble")')
        with pytest.raises(EvidenceError, match="no limit"):
            ask(ramp, 'pixels("share", at="blue")')
        with pytest.raises(AxesError, match="7 slices; say in which slice"):
            ask(stack, 'pixels("mean")')
        assert ask(stack, 'pixels("mean", where=z(3))').value == pytest.approx(stack.read()[2].mean())

    def test_floats_with_holes(self) -> None:
        pixels = np.linspace(0, 1, 400).reshape(20, 20)
        pixels[0, 0] = np.nan
        assert ask(mnb.open_image(pixels), 'pixels("mean")').value == pytest.approx(np.nanmean(pixels))


class TestFacts:
    def test_size_is_the_width_with_the_height(self, ramp: MicroImage) -> None:
        result = ask(ramp, 'image("size")')
        assert (result.value, result.unit, result.measured[1].value) == (100, "px", 40)
        assert said(ramp, 'image("size")') == "The image is 100 px wide and 40 px high."
        assert ask(ramp, 'image("height")').value == 40

    @pytest.mark.parametrize("fact", ["field", "pixel_size"])
    def test_an_unknown_pixel_size_is_declined_with_what_to_do(self, ramp: MicroImage, fact: str) -> None:
        found = ask(ramp, f'image("{fact}")').found
        assert found.declined is not None
        assert "pixel size" in found.declined
        assert found.remedy is not None
        assert "one pixel is" in found.remedy

    def test_field(self) -> None:
        img = mnb.open_image(np.zeros((128, 300), "uint16"), pixel_size=0.5)
        assert said(img, 'image("size")') == "The image is 300 px wide and 128 px high, that is 150 µm by 64 µm."
        assert said(img, 'image("field")') == "The field is 150 µm wide and 64 µm high."
        assert ask(img, 'image("field", unit="mm2")').value == pytest.approx(0.0096)
        assert said(img, 'image("pixel_size")').startswith("A pixel is 0.5 µm wide")

    def test_a_wide_field_is_given_in_mm(self) -> None:
        assert (
            said(mnb.open_image(np.zeros((100, 300), "uint8"), pixel_size=10), 'image("field")')
            == "The field is 3 mm wide and 1 mm high."
        )

    def test_planes_and_channels(self, stack: MicroImage, movie: MicroImage, stained: MicroImage, ramp: MicroImage) -> None:
        assert said(stack, 'image("z")') == "The image has 7 slices in depth."
        assert said(movie, 'image("t")') == "The image has 8 frames."
        assert said(ramp, 'image("t")') == "The image is a single frame: it has no course in time."
        assert said(stained, 'image("channels")') == "The image has 3 channels, the colours of one picture: red, green, blue."
        assert ask(ramp, 'image("channels")').value == 1
        assert ask(ramp, 'image("bit_depth")').value == 8

    def test_range(self, ramp: MicroImage) -> None:
        assert ask(ramp, 'image("range")').value == (0, 255)
        assert said(ramp, 'image("range")') == "The grey values run from 0 to 255; up to 255 could be stored."

    @pytest.mark.parametrize("fact", ["objective", "magnification", "na", "date"])
    def test_what_the_file_does_not_record_is_declined(self, ramp: MicroImage, fact: str) -> None:
        declined = ask(ramp, f'image("{fact}")').found.declined
        assert declined is not None
        assert "does not record" in declined

    def test_what_the_person_told_counts(self, ramp: MicroImage) -> None:
        result = ask(ramp, 'image("na")', told={"na": 1.4})
        assert result.value == 1.4
        assert plain(sentence(result)) == "The numerical aperture is 1.4 (you told me)."

    def test_an_unknown_fact_lists_the_known(self, ramp: MicroImage) -> None:
        with pytest.raises(EvidenceError, match="pixel size"):
            ask(ramp, 'image("weather")')


class TestQuality:
    @pytest.mark.parametrize("aspect", ASPECTS)
    def test_every_aspect_has_one_shape(self, nuclei: MicroImage, aspect: str) -> None:
        result = ask(nuclei, f'quality("{aspect}")')
        figure, verdict = result.measured[:2]
        assert isinstance(figure.value, int | float)
        assert not isinstance(figure.value, bool)
        assert verdict.quantity == f"verdict on {aspect}"
        assert isinstance(verdict.value, str)
        text = plain(sentence(result))
        assert text[0].isupper()
        assert text.endswith(".")
        assert "{" not in text

    def test_white_noise_has_no_halos_and_is_not_called_phase_contrast(self, noise: MicroImage) -> None:
        assert ask(noise, 'quality("halos")').value is False
        assert said(noise, 'quality("halos")') == "I see no halos: nothing stands out from the noise."
        assert "cannot be judged" in said(noise, 'quality("focus")')
        assert ask(noise, 'quality("overall")').value is False
        assert ask(noise, 'quality("noise")').value == pytest.approx(10, rel=0.1)

    def test_halos_are_seen_where_they_are(self) -> None:
        y, x = np.mgrid[:256, :256]
        away = [np.hypot(y - 40 * a - 30, x - 40 * b - 30) for a in range(5) for b in range(5)]
        bodies = sum(-70 * np.exp(-((d / 8) ** 4)) for d in away)
        halos = sum(50 * np.exp(-(((d - 13) / 3) ** 2)) for d in away)
        grain = np.random.default_rng(0).normal(0, 4, (256, 256))
        assert ask(mnb.open_image((120 + bodies + halos + grain).astype("uint8")), 'quality("halos")').value is True
        assert ask(mnb.open_image((120 + bodies + grain).astype("uint8")), 'quality("halos")').value is False
        assert ask(mnb.samples.bacteria((512, 512), halo=0.9).image, 'quality("halos")').value is True
        assert ask(mnb.samples.bacteria((512, 512), halo=0.0).image, 'quality("halos")').value is False

    def test_focus(self, nuclei: MicroImage) -> None:
        sharp = ask(nuclei, 'quality("focus")')
        assert sharp.value is True
        assert plain(sentence(sharp)).startswith("It is in focus: the sharpest edges are ")
        soft = mnb.open_image(ndi.gaussian_filter(nuclei.read().astype(float), 5).astype("uint16"))
        blurred = ask(soft, 'quality("focus")')
        assert blurred.value is False
        assert blurred.main.number < sharp.main.number
        assert plain(sentence(blurred)).startswith("It is blurred: no edge is sharper than ")

    def test_which_slice_is_in_focus(self, stack: MicroImage) -> None:
        for expression in ('quality("focus", where="slices")', 'quality("focus")'):
            assert ask(stack, expression).value == 4
        assert said(stack, 'quality("focus")') == "The sharpest slice is number 4 of 7, and no other is nearly as sharp."
        figures = [ask(stack, f'quality("focus", where=z({k}))').main.number for k in range(1, 8)]
        assert int(np.argmax(figures)) == 3
        with pytest.raises(AxesError, match="single plane"):
            ask(mnb.open_image(np.zeros((64, 64), "uint8")), 'quality("focus", where="slices")')

    def test_focus_of_a_part(self, nuclei: MicroImage) -> None:
        pixels = nuclei.read().astype(float)
        pixels[:, :128] = ndi.gaussian_filter(pixels, 6)[:, :128]
        img = mnb.open_image(pixels.astype("uint16"))
        assert (
            ask(img, 'quality("focus", where="right")').main.number > 1.5 * ask(img, 'quality("focus", where="left")').main.number
        )
        assert ask(img, 'quality("focus", where="border")').main.unit == "%"
        assert said(img, 'quality("focus", where="right")').startswith("It is in focus in the right half")

    def test_saturation_agrees_with_the_share_of_pixels(self, ramp: MicroImage, stained: MicroImage) -> None:
        for img in (ramp, stained):
            assert ask(img, 'quality("saturation")').main.value == ask(img, 'pixels("share", at="saturated")').value
        assert ask(ramp, 'quality("saturation")').value is True
        clean = mnb.open_image(np.tile(np.arange(100, dtype="uint8"), (64, 1)))
        assert ask(clean, 'quality("saturation")').value is False
        assert (
            said(clean, 'quality("saturation")')
            == "Nothing is saturated: the largest grey value is 99 where 255 would be saturated."
        )

    def test_exposure(self, nuclei: MicroImage) -> None:
        pixels = nuclei.read().astype(float)
        dark, bright = ((pixels / pixels.max() * top).clip(0, 255).astype("uint8") for top in (30, 1500))
        assert ask(mnb.open_image(dark), 'quality("exposure")').value == "underexposed"
        assert ask(mnb.open_image(bright), 'quality("exposure")').value == "overexposed"
        assert ask(mnb.open_image(np.full((64, 64), 7, "uint8")), 'quality("exposure")').value == "no signal"

    def test_noise_grows(self, nuclei: MicroImage) -> None:
        pixels = nuclei.read().astype(float)
        grainy = mnb.open_image((pixels + np.random.default_rng(0).normal(0, 2000, pixels.shape)).clip(0, 65535).astype("uint16"))
        quiet, loud = (ask(img, 'quality("noise")') for img in (nuclei, grainy))
        assert loud.main.number > 10 * quiet.main.number
        assert quiet.unit == "times"
        assert isinstance(quiet.value, float)
        assert quiet.value > 20

    def test_contrast(self, noise: MicroImage) -> None:
        flat = mnb.open_image(np.random.default_rng(0).normal(120, 3, (128, 128)).astype("uint8"))
        assert "contrast is low" in said(flat, 'quality("contrast")')
        assert ask(flat, 'quality("contrast")').main.number < ask(noise, 'quality("contrast")').main.number

    def test_seams(self, nuclei: MicroImage) -> None:
        pixels = nuclei.read().astype(float)
        pixels[:, 128:] += 400
        result = ask(mnb.open_image(pixels.astype("uint16")), 'quality("stitching")')
        assert result.value is True
        assert [m.value for m in result.measured if m.quantity.startswith("box")] == [(128.0, 0.0, 129.0, 256.0)]
        assert plain(sentence(result)).startswith("I see 1 seam,")
        assert ask(nuclei, 'quality("stitching")').value is False

    def test_marks(self, nuclei: MicroImage) -> None:
        pixels = np.random.default_rng(0).normal(100, 3, (300, 400)).astype("uint8")
        pixels[280:285, 300:380] = 255
        result = ask(mnb.open_image(pixels), 'quality("marks")')
        assert result.value is True
        assert plain(sentence(result)) == "I see a scale bar (bottom right)."
        assert any(m.quantity.startswith("box") for m in result.measured)
        assert ask(nuclei, 'quality("marks")').value is False
        assert ask(mnb.open_image(pixels), 'quality("artefacts")').value is True

    def test_edges_and_light(self) -> None:
        y, x = np.mgrid[:400, :400]
        even = np.random.default_rng(0).normal(200, 3, (400, 400))
        vignette = even * np.where(np.hypot(y - 200, x - 200) < 230, 1.0, 0.2)
        dark = mnb.open_image(vignette.astype("uint8"))
        assert ask(dark, 'quality("edges")').value is True
        assert ask(dark, 'quality("evenness")').value is False
        assert "corner" in said(dark, 'quality("edges")')
        assert ask(mnb.open_image(even.clip(0, 255).astype("uint8")), 'quality("edges")').value is False
        ramp = mnb.open_image((40 + 120 * x / 400 + np.random.default_rng(0).normal(0, 2, (400, 400))).astype("uint8"))
        assert ask(ramp, 'quality("evenness")').value is False

    def test_words_for_aspects(self, nuclei: MicroImage) -> None:
        assert ask(nuclei, 'quality("sharpness")').measured == ask(nuclei, 'quality("focus")').measured
        with pytest.raises(EvidenceError, match="no aspect"):
            ask(nuclei, 'quality("smell")')


class TestProfiles:
    def test_depth(self, stack: MicroImage) -> None:
        result = ask(stack, 'profile("intensity", along="depth")')
        means = stack.read().mean(axis=(1, 2))
        assert result.found.table is not None
        assert np.allclose(result.found.table["mean grey value"], means)
        assert result.value == pytest.approx(100 * (means[-1] - means[0]) / means[0])
        assert plain(sentence(result)).startswith("The mean grey value falls from ")

    def test_a_measurement_in_time(self, movie: MicroImage) -> None:
        result = ask(movie, 'profile(count("cell"), along="time")')
        assert result.found.table is not None
        assert result.found.table["number of cells"].tolist() == [4.0] * 4 + [5.0] * 4
        assert result.value == 25

    def test_line(self, ramp: MicroImage) -> None:
        shown = ask(ramp, 'profile("intensity", along="line")').main.found["profile"]
        assert np.allclose(shown["y"], np.arange(100))
        assert shown["x_unit"] == "px"

    def test_radius(self) -> None:
        y, x = np.mgrid[:200, :200]
        cone = mnb.open_image((200 - np.hypot(y - 99.5, x - 99.5)).clip(0, 255).astype("uint8"))
        shown = ask(cone, 'profile("intensity", along="radius")').main.found["profile"]
        assert np.allclose(shown["y"], 200 - np.array(shown["x"]), atol=2)

    def test_inside_objects(self, nuclei: MicroImage) -> None:
        result = ask(nuclei, 'profile("intensity", along="radius", of="nucleus")')
        assert result.measured[-1].value == "falls"
        assert "in their middle" in plain(sentence(result))

    def test_what_is_not_there(self, ramp: MicroImage) -> None:
        with pytest.raises(AxesError, match="no slices"):
            ask(ramp, 'profile("intensity", along="depth")')
        with pytest.raises(EvidenceError, match="cannot follow"):
            ask(ramp, 'profile("intensity", along="the root")')


class TestChannels:
    def test_colocalisation(self, cells: MicroImage) -> None:
        together, apart = ask(cells, 'colocalise("DAPI", "GFP")'), ask(cells, 'colocalise("DAPI", "p65")')
        assert together.main.number > 0.9
        assert ": DAPI and GFP largely show the same places; " in plain(sentence(together))
        assert apart.main.number < 0
        assert "avoid one another" in plain(sentence(apart))

    def test_within_objects(self, cells: MicroImage) -> None:
        result = ask(cells, 'colocalise("GFP", "p65", within=obj("nucleus", channel="DAPI"))')
        assert "inside the nuclei" in plain(sentence(result))
        assert facts_of(result)["pixels compared"] < 256 * 256  # type: ignore[operator]

    def test_what_cannot_be_compared(self, cells: MicroImage, ramp: MicroImage, stained: MicroImage) -> None:
        for img, expression, why in (
            (ramp, 'colocalise("red", "green")', "single channel"),
            (stained, 'colocalise("red", "blue")', "stained picture"),
            (cells, 'colocalise("GFP", "GFP")', "with itself"),
            (cells, 'colocalise("GFP", "Cy5")', "no channel 'Cy5'"),
            (cells, 'colocalise("GFP", "p65", within="3 px")', "tolerance"),
        ):
            with pytest.raises(EvidenceError, match=why):
                ask(img, expression)

    def test_compartments_in_either_order(self, cells: MicroImage) -> None:
        results = [
            ask(cells, e)
            for e in ('compartments("GFP", "cell")', 'compartments("cell", signal="GFP")', 'compartments(signal="GFP")')
        ]
        assert len({r.value for r in results}) == 1
        assert facts_of(results[0])["localisation"] == "mainly nuclear"
        assert facts_of(ask(cells, 'compartments(signal="p65")'))["localisation"] == "mainly cytoplasmic"
        assert "times as strong" in plain(sentence(results[0]))
        assert results[0].selection is not None
        assert results[0].selection.channel == "DAPI"

    def test_of_one_cell_and_of_no_such_channel(self, cells: MicroImage, ramp: MicroImage) -> None:
        one = ask(cells, 'compartments(obj("cell", by="area"), signal="GFP")')
        assert facts_of(one)["number of nuclei measured"] == 1
        with pytest.raises(EvidenceError, match="no channel 'Cy5'"):
            ask(cells, 'compartments("Cy5", "cell")')
        with pytest.raises(EvidenceError, match="no two such"):
            ask(ramp, 'compartments("cell")')


class TestChanges:
    def test_speed(self, movie: MicroImage) -> None:
        result = ask(movie, 'track(obj("cell", by="x", order="min"), what="speed")')
        assert result.unit == "um/frame"
        assert result.value == pytest.approx(0.5 * np.hypot(2, 3), rel=0.15)
        every = ask(movie, 'track("cell")')
        assert facts_of(every)["fastest"] == pytest.approx(0.5 * np.hypot(2, 3), rel=0.05)
        assert plain(sentence(every)).startswith("The cells move at ")

    def test_path(self, movie: MicroImage) -> None:
        result = ask(movie, 'track("cell", what="path")')
        assert result.found.table is not None
        assert result.found.table["path_um"].max() == pytest.approx(7 * 0.5 * np.hypot(2, 3), rel=0.05)
        assert facts_of(result)["straightness"] == pytest.approx(100, abs=3)

    def test_division_lineage_and_fate(self, movie: MicroImage) -> None:
        assert (
            said(movie, 'track("cell", what="division")')
            == "I see 1 division, in frame 5, among 6 cells followed through 8 frames."
        )
        assert (
            said(movie, 'track("cell", what="lineage")') == "From 4 founders 2 daughters come, over 2 generations, in 8 frames."
        )
        assert (
            said(movie, 'track("cell", what="fate")')
            == "Of 4 cells in the first frame 3 (75 %) can be followed to the last; divided: 1, lost from sight: 0."
        )
        table = ask(movie, 'track("cell", what="lineage")').found.table
        assert table is not None
        assert table["mother"].notna().sum() == 2

    def test_the_time_between_frames_gives_a_speed_in_seconds(self, movie: MicroImage, tmp_path: Path) -> None:
        import tifffile

        tifffile.imwrite(tmp_path / "movie.tif", movie.read(), imagej=True, metadata={"axes": "TYX", "finterval": 5.0})
        timed = mnb.open_image(tmp_path / "movie.tif", pixel_size=0.5)
        assert facts_of(ask(timed, 'track("cell")'))["fastest"] == pytest.approx(0.1 * np.hypot(2, 3), rel=0.05)
        assert ask(timed, 'track("cell")').unit == "um/s"
        assert said(timed, 'image("t")') == "The image has 8 frames, 5 s apart, 35 s from the first to the last."

    def test_one_moment_shows_no_movement(self, nuclei: MicroImage) -> None:
        found = ask(nuclei, 'track("cell", what="division")').found
        assert found.declined is not None
        assert "no frames in time" in found.declined
        assert found.remedy is not None


@pytest.mark.parametrize("name", ["pixels", "profile", "image", "quality", "colocalise", "compartments", "track"])
def test_examples_are_expressions_of_the_language(name: str) -> None:
    examples = get(name).examples
    assert len(examples) >= 2
    for expression in examples.values():
        assert parse(expression).name == name
        check(parse(expression))


def test_unknown_keywords_are_refused() -> None:
    with pytest.raises(LanguageError, match="colour"):
        check(parse('quality("focus", colour=1)'))


@pytest.fixture(scope="module")
def banded() -> MicroImage:
    """A pale pink ground with small dark blue discs, and across it a red band, 30 of 120 rows high."""
    y, x = np.mgrid[:120, :160]
    picture = np.full((120, 160, 3), (235.0, 200.0, 220.0))
    picture[45:75] = (215, 30, 60)
    picture[(y % 40 - 20) ** 2 + (x % 40 - 20) ** 2 <= 25] = (60, 40, 140)
    return mnb.open_image(picture.astype("uint8"), axes="yxc")


@pytest.mark.parametrize(("told", "share"), [("red", 0.25), ("blue", 0.05), ("dark", 0.28), ("green", 0.0)])
def test_regions_of_one_look_are_outlined(banded: MicroImage, told: str, share: float) -> None:
    from micro_nb.session.measures.appearance import regions

    found = regions(Scene({"a": banded}, "a"), told)
    assert float((np.asarray(found.labels) > 0).mean()) == pytest.approx(share, abs=0.03)
    assert found.made_by["look"] == told


def test_regions_of_a_colour_are_refused_in_grey(ramp: MicroImage) -> None:
    with pytest.raises(EvidenceError, match="a grey picture"):
        ask(ramp, 'count(obj("band", having="color == \\"red\\""))')


def test_the_background_is_what_no_object_covers() -> None:
    picture = np.zeros((100, 200), "uint8")
    picture[20:60, 20:60] = picture[20:60, 120:160] = 200
    img = mnb.open_image(picture + 10)
    covered, rest = (ask(img, f'coverage("{kind}")').value for kind in ("object", "background"))
    assert covered + rest == pytest.approx(100)
    assert said(img, 'coverage("background")').startswith("The background covers")
    for place in ('inside("background")', '"background"'):
        assert ask(img, f'pixels("mean", where={place})').value == pytest.approx(10, abs=1)


def test_tissue_is_what_is_no_empty_glass() -> None:
    picture = np.full((100, 200, 3), 245, "uint8")
    picture[20:90, 40:140] = (210, 150, 190)
    picture[30:40, 50:60] = (90, 60, 140)
    img = mnb.open_image(picture, axes="yxc")
    assert ask(img, 'coverage("tissue")').value == pytest.approx(35, abs=4)
    assert ask(img, 'which(coverage("tissue"), among="corners")').value == "bottom left"


def test_of_two_choices_one_that_is_a_shape_decides() -> None:
    picture = np.zeros((120, 200), "uint8")
    for k in range(5):
        picture[20 + 20 * k : 24 + 20 * k, 30:150] = 200
    found = ask(mnb.open_image(picture + 10), 'classify("object", into=["round", "stretched out"])')
    assert found.value == "stretched out"


def test_edges_are_strips_along_the_rim(ramp: MicroImage) -> None:
    assert ask(ramp, 'which(pixels("mean"), among="edges")').value == "right edge"
    assert ask(ramp, 'pixels("mean", where="right edge")').value == pytest.approx(96.5, abs=1)


def test_a_colour_alone_makes_no_cell_and_a_brightness_no_object(banded: MicroImage) -> None:
    assert ask(banded, 'count(obj("band", having="color == \\"red\\""))').value >= 1
    assert ask(banded, 'count(obj("cell", having="color == \\"green\\""))').value == 0
    squares = np.full((80, 160), 10, "uint8")
    squares[20:50, 20:50] = squares[20:50, 100:130] = 200
    assert ask(mnb.open_image(squares), 'exists(obj("object", having=\'is "dim"\'))').value is False


def test_single_pixels_are_pointed_at() -> None:
    grey = np.random.default_rng(0).integers(90, 110, (40, 60)).astype("uint8")
    grey[7, 50], grey[30, 4], grey[9:12, 20:23] = 200, 3, 180  # a hot pixel, a dead one, and a thing that is bright
    img = mnb.open_image(grey)
    assert ask(img, 'locate(obj("pixel", by="intensity"))').measured[0].value == (50, 7, 51, 8)
    assert ask(img, 'stat("intensity", "value", obj("pixel", having=\'is "bright"\', where="left"))').value == 180
    assert ask(img, 'count(obj("pixel", having=\'is "bright"\', where="left"))').value == 9
    assert ask(img, 'count(obj("pixel", having=\'is "hot"\'))').value == 1
    assert ask(img, 'count(obj("hot pixel"))').value == 1
    assert ask(img, 'locate(obj("pixel", having=\'is "dead"\'))').measured[0].value == (4, 30, 5, 31)
    assert not ask(img, 'exists(obj("pixel", having="saturated"))').value
    for unclear in ('count("pixel")', 'count(obj("pixel", having="intensity > 120"))'):
        with pytest.raises(EvidenceError, match="share"):
            ask(img, unclear)
    two = mnb.open_image(np.stack([grey, grey[::-1]]), axes="cyx")
    assert ask(two, 'locate(obj("pixel", by="intensity", channel="2"))').measured[0].value == (50, 32, 51, 33)
    assert "brightest pixel" in said(img, 'locate(obj("pixel", by="intensity", order="max", n=1))')
