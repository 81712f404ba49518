import pandas as pd
import pytest

from cohortsmith.datasets.atomically import Atomically


def table(path):
    return Atomically(filepath=str(path), dataset={"type": "pandas.CSVDataset", "save_args": {"index": False}})


class Unwritable:
    """Fails half-way through writing, as a full disk does."""

    def to_csv(self, *_args, **_kwargs):
        raise OSError("no space left on device")


def test_a_table_comes_back(tmp_path):
    frame = pd.DataFrame({"a": [1, 2]})

    table(tmp_path / "new" / "t.csv").save(frame)

    pd.testing.assert_frame_equal(table(tmp_path / "new" / "t.csv").load(), frame)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    dataset = table(tmp_path / "t.csv")
    dataset.save(pd.DataFrame({"a": [1]}))

    with pytest.raises(Exception, match="space"):
        dataset.save(Unwritable())

    assert dataset.load()["a"].tolist() == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
