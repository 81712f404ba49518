"""The brain is found by a library; what is ours: its plausibility, and that nothing else remains."""

from pathlib import Path

import numpy as np
import pytest

from cohortsmith.config.study import PhantomConfig
from cohortsmith.errors import ScanRejected
from cohortsmith.imaging import brain_extraction
from cohortsmith.imaging.brain_extraction import extract_brain, find_brain
from cohortsmith.imaging.phantom.atlas import load_atlas
from cohortsmith.imaging.phantom.scan import make_scan
from cohortsmith.imaging.volume import Volume, read_volume


@pytest.mark.slow
def test_the_phantoms_brain_is_found_without_its_head() -> None:
    scan = make_scan(PhantomConfig(), "training", 3).volume
    inside = find_brain(scan)
    assert 1000 < inside.sum() * abs(np.linalg.det(scan.affine)) / 1000 < 2000
    assert extract_brain(scan).data[~inside].max() == 0
    np.testing.assert_array_equal(inside, find_brain(scan))


@pytest.mark.slow
def test_the_template_brain_overlaps_with_what_is_found() -> None:
    atlas = load_atlas(2)
    brain = sum(atlas.maps[name].astype(np.float32) for name in ("grey", "white", "csf"))
    signal = {"white": 1.0, "grey": 0.7, "csf": 0.25, "fat": 1.1, "muscle": 0.5, "eye": 0.3, "marrow": 0.8}
    head = sum(value * atlas.maps[name].astype(np.float32) for name, value in signal.items())
    found = find_brain(Volume(100 * head, atlas.affine))
    assert 2 * (found & (brain > 0.5)).sum() / (found.sum() + (brain > 0.5).sum()) > 0.94


@pytest.mark.slow
@pytest.mark.real_data
def test_a_brain_that_was_extracted_before_stays_whole(shared: Path) -> None:
    scan = read_volume(shared / "data/ds002748/sub-03/anat/sub-03_T1w.nii.gz", "sub-03")
    assert extract_brain(scan).data.sum() > 0.98 * scan.data.sum()


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 100.0])
def test_what_holds_no_brain_is_set_aside(value: float) -> None:
    nothing = Volume(np.full((40, 40, 40), value, dtype=np.float32), np.diag([4.0, 4, 4, 1]))
    with pytest.raises(ScanRejected, match="brain was not found"):
        find_brain(nothing, "sub-1_ses-1")


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_an_implausible_volume_is_set_aside(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    shape = (100, 100, 100)
    found = np.arange(np.prod(shape)).reshape(shape) < share * np.prod(shape)
    monkeypatch.setattr(brain_extraction, "_network_mask", lambda volume: found)
    with pytest.raises(ScanRejected, match="600 to 2500 ml"):
        find_brain(Volume(np.ones(shape, np.float32), np.diag([1.5, 1.5, 1.5, 1])), "sub-1_ses-1")
