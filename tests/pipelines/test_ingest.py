"""What is delivered is converted or set aside with its reason: nothing is lost, nothing stops the others."""

import stat
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.errors import ConfigurationError, StudyError
from cohortsmith.execution import Outcome
from cohortsmith.imaging.sources import Inventory
from cohortsmith.imaging.sources.plan import IngestPlan
from cohortsmith.imaging.sources.pseudonym_map import require_outside
from cohortsmith.imaging.stored import Stored
from cohortsmith.pipelines.ingest import nodes
from cohortsmith.pipelines.ingest.nodes import (
    convert_scans,
    describe_participants,
    list_visits,
    plan_ingest,
    write_ledger,
)

SHAPE = (20, 22, 24)
ONE_WORKER = ExecutionConfig(workers=1)


def write_scan(path: Path, data: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0])), path)


def truncated(path: Path, data: np.ndarray) -> None:
    write_scan(path, data)
    path.write_bytes(path.read_bytes()[:2000])


def four_dimensional(path: Path, data: np.ndarray) -> None:
    write_scan(path, np.stack([data, data], axis=-1))


def with_nan(path: Path, data: np.ndarray) -> None:
    data = data.copy()
    data[3, 4, 5] = np.nan
    write_scan(path, data)


def missing(path: Path, data: np.ndarray) -> None:
    """Write nothing."""


BAD = {"truncated": truncated, "fourD": four_dimensional, "nan": with_nan, "missing": missing}
REASONS = {
    "truncated": "cannot be read",
    "fourD": "3-D",
    "nan": "not numbers",
    "missing": "missing",
    "odd": "another diagnosis",
}
ALL = IngestConfig()


@pytest.fixture
def study(tmp_path: Path, rng: np.random.Generator) -> StudyConfig:
    """Two good scans among every kind of bad one."""
    data = rng.random(SHAPE)
    rows = [{"id": name, "dx": "CN", "age": 70, "sex": "F"} for name in ("good1", *BAD, "good2")]
    rows.append({"id": "odd", "dx": "XX", "age": 71, "sex": "M"})
    for name, write in {"good1": write_scan, "good2": write_scan, "odd": write_scan, **BAD}.items():
        write(tmp_path / f"{name}.nii.gz", data)
    pd.DataFrame(rows).to_csv(tmp_path / "clinical.csv", index=False)
    columns = Columns(participant="id", session="", diagnosis="dx", mmse="", site="", file="")
    return StudyConfig(
        name="bad", source="nifti", path=str(tmp_path), table="clinical.csv", labels=("CN", "AD"), columns=columns
    )


def plan_of(study: StudyConfig, done: dict[str, Stored] | None = None, ingest: IngestConfig = ALL) -> IngestPlan:
    inventory = list_visits(study, ONE_WORKER, role="training")
    return plan_ingest(inventory, done or {}, None, study, ingest, ONE_WORKER, role="training")


def convert(study: StudyConfig):
    plan = plan_of(study)
    converted, rejections = {}, []
    for items, rejections in convert_scans(plan, {}, ONE_WORKER, role="training"):  # noqa: B007
        converted |= {key: stored for key, stored in items.items() if stored is not None}
    return plan, converted, rejections


def test_every_bad_scan_is_listed_with_its_reason_and_the_good_ones_are_converted(study):
    _, converted, rejections = convert(study)

    assert sorted(converted) == ["sub-good1_ses-01", "sub-good2_ses-01"]
    reasons = {row["key"].removeprefix("sub-").removesuffix("_ses-01"): row["reason"] for row in rejections}
    assert set(reasons) == set(REASONS)
    assert {name for name, reason in reasons.items() if REASONS[name] not in reason} == set()


def test_the_ledger_balances_and_says_what_became_of_each(study):
    plan, converted, rejections = convert(study)

    ledger, warnings = write_ledger(plan, converted, rejections, IngestConfig(), role="training")

    rules = {row.key.removeprefix("sub-").removesuffix("_ses-01"): row.rule for row in ledger.itertuples()}
    assert rules == {
        **dict.fromkeys(("good1", "good2"), "files.only_scan"),
        **dict.fromkeys(("truncated", "fourD", "nan"), "scan.unusable"),
        "missing": "files.missing",
        "odd": "table.other_diagnosis",
    }
    assert ledger["candidate"].is_unique and set(ledger["state"]) == {"new"} and warnings == []
    assert (
        ledger.set_index("key").loc["sub-good1_ses-01", "file"] == "sub-good1/ses-01/anat/sub-good1_ses-01_T1w.nii.gz"
    )


def test_where_the_first_scan_is_broken_a_later_session_does_not_take_its_place(study):
    table = Path(study.path) / "clinical.csv"
    table.write_text("id,visit,dx,age,sex\ntruncated,1,CN,70,F\ntruncated,2,CN,71,F\n")
    (Path(study.path) / "good1.nii.gz").rename(Path(study.path) / "truncated_2.nii.gz")
    study = study.model_copy(update={"columns": study.columns.model_copy(update={"session": "visit"})})
    first = IngestConfig(sessions="first")
    plan = plan_of(study, ingest=first)

    (_, rejections) = list(convert_scans(plan, {}, ONE_WORKER, role="training"))[-1]
    ledger, _ = write_ledger(plan, {}, rejections, first, role="training")

    rows = {row.key: (row.rule, row.reason) for row in ledger[ledger["key"] != ""].itertuples()}
    assert rows["sub-truncated_ses-2"] == ("ingest.later_session", "ses-1 comes before it")
    assert rows["sub-truncated_ses-1"][0] == "scan.unusable"
    assert rows["sub-truncated_ses-1"][1].endswith("no later session takes its place (ingest.sessions: first)")


def test_no_reason_tells_where_the_scans_lie(study):
    _, _, rejections = convert(study)

    assert [row["reason"] for row in rejections if study.path in row["reason"]] == []


def test_participants_are_those_whose_scan_was_converted(study):
    plan, converted, _ = convert(study)

    table = describe_participants(plan, converted)

    assert table["participant_id"].tolist() == ["sub-good1", "sub-good2"]
    assert table["diagnosis"].tolist() == ["CN", "CN"]
    assert table["rule"].tolist() == ["files.only_scan"] * 2


@pytest.mark.parametrize(("jobs", "shared_out"), [(3, []), (4, [4])])
def test_more_than_three_thousand_headers_are_worth_workers(study, monkeypatch, jobs, shared_out):
    asked: list[int] = []

    def in_workers(_, items, **__):
        asked.append(len(items))
        return [Outcome(key, value=0) for key in items]

    def read(_, work, **__):
        assert len(list(work(len, {str(number): ("",) for number in range(jobs)}))) == jobs
        return Inventory((), ())

    monkeypatch.setattr(nodes, "run_items", in_workers)
    monkeypatch.setattr(nodes, "read_source", read)
    list_visits(study, ONE_WORKER, role="training")
    assert asked == shared_out


def test_ages_from_90_on_are_one_category(study):
    table = Path(study.path) / "clinical.csv"
    table.write_text(table.read_text().replace("good1,CN,70", "good1,CN,93.5").replace("good2,CN,70", "good2,CN,89.9"))
    plan, converted, _ = convert(study)

    assert describe_participants(plan, converted)["age"].tolist() == [90.0, 89.9]


def test_what_the_source_lacks_is_logged_and_kept_for_the_report(study, caplog, monkeypatch):
    inventory = list_visits(study, ONE_WORKER, role="training")._replace(warnings=("MRIQUALITY.csv is missing",))
    monkeypatch.setattr("cohortsmith.pipelines.ingest.nodes.read_source", lambda *_, **__: inventory)

    plan, converted, rejections = convert(study)

    assert "training: MRIQUALITY.csv is missing" in caplog.text
    assert write_ledger(plan, converted, rejections, IngestConfig(), role="training")[1] == [
        "MRIQUALITY.csv is missing"
    ]


def test_only_where_it_is_wanted_a_map_says_who_is_who(study, tmp_path_factory):
    place = tmp_path_factory.mktemp("safe") / "map.tsv"
    plan, converted, rejections = convert(study)

    for role in ("training", "external", "training"):
        write_ledger(plan, converted, rejections, IngestConfig(pseudonym_map=str(place)), role=role)

    rows = pd.read_csv(place, sep="\t", dtype=str, keep_default_na=False)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600 and list(place.parent.iterdir()) == [place]
    assert rows.groupby("role").size().to_dict() == {"external": 7, "training": 7}
    good = rows[rows["key"] == "sub-good1_ses-01"].iloc[0]
    assert good["delivered"] == "good1.nii.gz" and good["file"].endswith("sub-good1_ses-01_T1w.nii.gz")


@pytest.mark.parametrize(
    "place", ["data/map.tsv", "mlruns/map.tsv", "data/../data/x/map.tsv", "link/map.tsv", "no/map.tsv", "."]
)
def test_a_map_among_the_results_is_refused(tmp_path, place):
    for name in ("data", "mlruns"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")

    with pytest.raises(ConfigurationError, match="pseudonym map"):
        require_outside(str(tmp_path / place), [tmp_path / "data", tmp_path / "mlruns"])


def test_a_map_elsewhere_is_allowed(tmp_path):
    require_outside(str(tmp_path / "map.tsv"), [tmp_path / "data", tmp_path / "mlruns"])


def test_a_table_with_the_wrong_columns_names_them(study):
    (Path(study.path) / "clinical.csv").write_text("who,what\na,b\n")

    with pytest.raises(StudyError, match="id"):
        list_visits(study, ONE_WORKER, role="training")


def test_a_duplicated_id_stops_the_study_by_name(study):
    table = Path(study.path) / "clinical.csv"
    table.write_text(table.read_text() + "good1,CN,70,F\n")

    with pytest.raises(StudyError, match="good1"):
        list_visits(study, ONE_WORKER, role="training")
