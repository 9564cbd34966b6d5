"""What is found and what is present stays so when light, contrast, focus, noise and stain change; bounds are stated here."""

import numpy as np
import pytest

import micro_nb as mnb
from micro_nb.learn.worsened import degraded
from micro_nb.tasks.load import WEIGHTS
from micro_nb.tasks.look import cache, looking

pytestmark = pytest.mark.skipif(not (WEIGHTS / "nano" / "config.json").is_file(), reason="needs the weights of nano")

COUNT = 0.2
"""Counts may change by this share."""
ABSENT = {"fluorescence": "carbide particle", "blood": "mitochondrion"}
PRESENT = {"fluorescence": "nucleus", "blood": "red blood cell"}


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICRO_NB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(looking, "_CACHE", cache.SeenCache())
        yield


def shifted(pixels, how):
    """Pixels ``(y, x)`` or ``(c, y, x)`` seen under other light, focus or stain; not cut at the range of uint8 or uint16."""
    values = pixels.astype(np.float32)
    if how == "low contrast":
        return np.rint(values.mean() + 0.6 * (values - values.mean())).astype(pixels.dtype)
    if how == "stain":  # pinker and paler, as another batch of dye
        gain = np.array([1.0, 0.9, 0.96], np.float32)[:, None, None]
        return np.rint(np.clip(values * gain, 0, 255)).astype(pixels.dtype)
    kind, level = how
    half = pixels // 2 if kind == "brightness" and level > 1 else pixels  # room above, so that nothing saturates
    return degraded(half, kind, level)


CHANGES = [("brightness", 0.5), ("brightness", 2.0), "low contrast", ("blur", 0.8), ("noise", 0.02)]


@pytest.fixture(scope="module", params=["fluorescence", "blood"])
def scene(request):
    img = getattr(mnb.samples, request.param)((512, 512), seed=5).image
    pixels, axes = np.asarray(img.read()), "".join(img.axes)
    asked = [PRESENT[request.param], ABSENT[request.param]]
    return request.param, pixels, axes, mnb.parse(img, asked)


def test_the_scene_as_it_is(scene):
    name, _, _, plain = scene
    status = dict(zip(plain.presence["name"], plain.presence["status"], strict=True))
    assert status == {PRESENT[name]: "present", ABSENT[name]: "absent"}


@pytest.mark.parametrize("how", [*CHANGES, "stain"], ids=str)
def test_counts_and_presence_hold(scene, how):
    _, pixels, axes, plain = scene
    if how == "stain" and "c" not in axes:
        pytest.skip("a grey picture has no stain")
    changed = mnb.parse(mnb.open_image(shifted(pixels, how), axes=axes), plain.presence["name"].tolist())
    assert changed.presence["status"].tolist() == plain.presence["status"].tolist()
    before, after = (p.presence["count"].iloc[0] for p in (plain, changed))
    assert abs(after / before - 1) <= COUNT, f"{before} became {after}"


def test_status_and_p_value_never_disagree(scene):
    for row in scene[3].presence.itertuples():
        assert (row.status == "present") == (row.p_value <= 0.05)
        assert row.p_value > 0.5 or row.count > 0
