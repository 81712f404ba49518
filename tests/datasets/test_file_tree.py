import os
from pathlib import Path

import pytest

from cohortsmith.datasets.file_tree import FileTree

CONTENTS = {"tables/A.csv": b"a,b\n", "ADNI/1/scan.nii": b"\0\1"}


@pytest.fixture
def tree(tmp_path: Path) -> FileTree:
    return FileTree(filepath=str(tmp_path / "study"))


def test_a_study_that_is_not_there_yet_has_no_files(tree):
    assert tree.load() == frozenset()
    assert not tree.exists()


def test_what_was_saved_is_there_under_its_own_names(tree, tmp_path):
    tree.save(CONTENTS)

    assert tree.load() == set(CONTENTS)
    assert (tmp_path / "study" / "ADNI" / "1" / "scan.nii").read_bytes() == b"\0\1"


def test_the_same_content_is_not_written_again(tree, tmp_path):
    tree.save(CONTENTS)
    table = tmp_path / "study" / "tables" / "A.csv"
    os.utime(table, (1, 1))

    tree.save(CONTENTS)

    assert table.stat().st_mtime == 1


def test_other_content_takes_the_place_of_the_old(tree, tmp_path):
    tree.save(CONTENTS)

    tree.save({"tables/A.csv": b"c\n"})

    assert (tmp_path / "study" / "tables" / "A.csv").read_bytes() == b"c\n"


def test_a_removed_file_takes_its_empty_folders_along_and_no_others(tree, tmp_path):
    tree.save({**CONTENTS, "ADNI/2/scan.nii": b"2"})

    tree.save({"ADNI/1/scan.nii": None, "never/was.nii": None})

    assert tree.load() == {"tables/A.csv", "ADNI/2/scan.nii"}
    assert not (tmp_path / "study" / "ADNI" / "1").exists()
    assert (tmp_path / "study" / "ADNI").exists()


def test_a_file_that_is_being_written_does_not_count(tree, tmp_path):
    tree.save(CONTENTS)
    (tmp_path / "study" / "ADNI" / "1" / ".scan.nii.17.tmp").write_bytes(b"half")

    assert tree.load() == set(CONTENTS)
