import json
from pathlib import Path

import numpy as np
import pandas as pd

from cohortsmith.imaging.bids_tables import write_participants


def scans() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "key": ["sub-2_ses-01", "sub-1_ses-02", "sub-1_ses-01"],
            "participant_id": ["sub-2", "sub-1", "sub-1"],
            "session_id": ["ses-01", "ses-02", "ses-01"],
            "source": ["/home/DOE_JANE/a.nii"] * 3,
            "diagnosis": ["AD", "AD", "CN"],
            "age": [70.25, 62.0, 60.0],
            "sex": ["F", "M", "M"],
            "mmse": [np.nan, 27.0, 29.0],
        }
    )


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def test_a_participant_has_one_row_with_the_values_of_the_first_session(tmp_path: Path) -> None:
    write_participants(tmp_path, scans())
    table = read(tmp_path / "participants.tsv")
    assert table.to_dict("records") == [
        {"participant_id": "sub-1", "diagnosis": "CN", "age": "60", "sex": "M", "mmse": "29"},
        {"participant_id": "sub-2", "diagnosis": "AD", "age": "70.25", "sex": "F", "mmse": "n/a"},
    ]


def test_sessions_carry_what_changes(tmp_path: Path) -> None:
    write_participants(tmp_path, scans())
    table = read(tmp_path / "sub-1" / "sub-1_sessions.tsv")
    assert table["session_id"].tolist() == ["ses-01", "ses-02"]
    assert table["diagnosis"].tolist() == ["CN", "AD"] and "sex" not in table


def test_every_column_is_explained(tmp_path: Path) -> None:
    write_participants(tmp_path, scans().assign(latent_distance=1.0))
    explained = json.loads((tmp_path / "participants.json").read_text())
    assert set(explained) == set(read(tmp_path / "participants.tsv").columns) - {"participant_id"}


def test_no_raw_path_is_written(tmp_path: Path) -> None:
    write_participants(tmp_path, scans())
    assert not any("DOE" in path.read_text() for path in tmp_path.rglob("*.*"))


def test_a_folder_without_sessions_has_no_sessions_file(tmp_path: Path) -> None:
    write_participants(tmp_path, scans().drop(columns="session_id"))
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["participants.json", "participants.tsv"]


def with_scans() -> pd.DataFrame:
    return scans().assign(day=[0, 365, 0], rule=["files.only_scan", "adni.n3", "adni.n3"])


def test_scans_say_by_which_rule_and_when_after_the_first_visit(tmp_path: Path) -> None:
    write_participants(tmp_path, with_scans())
    table = read(tmp_path / "sub-1" / "ses-02" / "sub-1_ses-02_scans.tsv")
    assert table.to_dict("records") == [{"filename": "anat/sub-1_ses-02_T1w.nii.gz", "day": "365", "rule": "adni.n3"}]
    assert set(json.loads((tmp_path / "scans.json").read_text())) == {"day", "rule"}
    assert not {"day", "rule"} & set(read(tmp_path / "participants.tsv").columns)


def test_an_unknown_day_is_not_invented(tmp_path: Path) -> None:
    write_participants(tmp_path, with_scans().assign(day=None))
    assert read(tmp_path / "sub-1" / "ses-01" / "sub-1_ses-01_scans.tsv")["day"].tolist() == ["n/a"]


def test_nothing_is_left_of_a_participant_or_session_that_is_gone(tmp_path: Path) -> None:
    write_participants(tmp_path, with_scans())
    write_participants(tmp_path, with_scans().iloc[1:2])
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("sub-*/**/*"))
    assert left == ["sub-1/ses-02", "sub-1/ses-02/sub-1_ses-02_scans.tsv", "sub-1/sub-1_sessions.tsv"]
    assert [folder.name for folder in tmp_path.iterdir() if folder.is_dir()] == ["sub-1"]


def test_the_dictionary_says_what_90_stands_for(tmp_path: Path) -> None:
    write_participants(tmp_path, scans())
    for name in ("participants.json", "sessions.json"):
        assert "90 or more" in json.loads((tmp_path / name).read_text())["age"]["Description"]
