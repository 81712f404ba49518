import numpy as np
import pytest
from kedro.io import DatasetError

from cohortsmith.datasets.image_stack import ImageStack


def test_rows_come_back_as_one_memory_map(tmp_path, rng):
    images = rng.random((12, 3, 4, 5), dtype=np.float32)
    stack = ImageStack(filepath=str(tmp_path / "deep" / "images.npy"))

    stack.save(iter(images))

    loaded = stack.load()
    assert isinstance(loaded, np.memmap)
    np.testing.assert_array_equal(loaded, images)


def test_an_image_of_another_shape_is_refused_and_the_old_stack_stays(tmp_path):
    stack = ImageStack(filepath=str(tmp_path / "images.npy"))
    stack.save(np.zeros((2, 3, 3), dtype=np.float32))

    with pytest.raises(DatasetError, match="shape"):
        stack.save(iter([np.zeros((3, 3), dtype=np.float32), np.zeros((3, 4), dtype=np.float32)]))

    assert stack.load().shape == (2, 3, 3)


def test_nothing_to_save_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="no image"):
        ImageStack(filepath=str(tmp_path / "images.npy")).save(iter([]))
