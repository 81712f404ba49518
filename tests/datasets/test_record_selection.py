import numpy as np
import pytest

from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.datasets.record_selection import RecordSelection
from cohortsmith.imaging.stored import Stored
from cohortsmith.imaging.volume import Volume


@pytest.fixture
def everything(tmp_path, volume: Volume) -> dict[str, Stored]:
    folder = RecordFolder(filepath=str(tmp_path), name="<subject>/<key>_T1w")
    folder.save({f"sub-{number}_ses-1": Stored({"Age": number}, volume) for number in range(3)})
    return folder.load()


@pytest.fixture
def selection(tmp_path) -> RecordSelection:
    place = {"filepath": str(tmp_path), "name": "<subject>/<key>_T1w"}
    return RecordSelection(filepath=str(tmp_path / "kept.json"), folder=place)


def test_only_the_chosen_ones_come_back_from_where_they_lie(everything, selection, volume):
    selection.save({key: everything[key] for key in ("sub-0_ses-1", "sub-2_ses-1")})

    found = selection.load()

    assert {key: stored.record["Age"] for key, stored in found.items()} == {"sub-0_ses-1": 0, "sub-2_ses-1": 2}
    np.testing.assert_array_equal(found["sub-2_ses-1"].load().data, volume.data)


def test_a_chosen_one_that_is_gone_is_not_there(everything, selection, tmp_path):
    selection.save(everything)
    next(tmp_path.rglob("sub-1*.json")).unlink()

    assert list(selection.load()) == ["sub-0_ses-1", "sub-2_ses-1"]


def test_nothing_is_there_before_it_was_saved(selection):
    assert not selection.exists()
