"""What was delivered before is not converted again, whatever it is called now: the real nodes, run as Kedro runs them."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
import yaml
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from pydicom.uid import generate_uid

from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import Columns, StudyConfig
from cohortsmith.imaging.phantom.delivery.dicom import Series, series_files
from cohortsmith.imaging.volume import Volume
from cohortsmith.pipelines.ingest import create_dry_run, create_pipeline, nodes

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (18, 20, 34)
DATED = pd.Timestamp("2020-01-01")


@pytest.fixture
def converted(monkeypatch) -> list[str]:
    """The keys that were converted, in this process so that they can be counted."""
    done: list[str] = []

    def here(function, items, **_):
        done.extend(items)
        return nodes._run(function, dict(items), ExecutionConfig(), "") if len(items) <= 32 else ()

    monkeypatch.setattr(nodes, "run_items", here)
    return done


def run(home: Path, study: StudyConfig) -> pd.DataFrame:
    """Run all but the BIDS validator on the project's own catalog; give the ledger."""
    catalog = catalog_of(home, study)
    pipeline = create_pipeline(["training"], simulated=False)
    SequentialRunner().run(pipeline.to_nodes("training.write_ledger", "training.describe_bids_folder"), catalog)
    return catalog["training.ledger_done"].load()


def catalog_of(home: Path, study: StudyConfig) -> DataCatalog:
    text = (ROOT / "conf/base/catalog.yml").read_text()
    text = text.replace("${globals:data}", str(home)).replace("${study:}", "x").replace("${space:}", "s")
    entries = {name: entry for name, entry in yaml.safe_load(text).items() if not name.startswith("_")}
    catalog = DataCatalog.from_config(entries)
    catalog["params:study"], catalog["params:ingest"] = study, IngestConfig()
    catalog["params:execution"] = ExecutionConfig(workers=1)
    return catalog


def states(ledger: pd.DataFrame) -> dict[str, str]:
    rows = ledger[ledger["decision"] != "reject"]
    return dict(zip(rows["key"], rows["state"], strict=True))


def scans(home: Path) -> dict[str, bytes]:
    return {path.name[: -len("_T1w.nii.gz")]: path.read_bytes() for path in home.rglob("*_T1w.nii.gz")}


class Nifti:
    """A folder of scans with a table; content by name."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, {}
        folder.mkdir()

    def add(self, name: str, content: int, place: str = "") -> None:
        place = place or f"{name}.nii"
        data = np.random.default_rng(content).integers(0, 900, SHAPE).astype(np.int16)
        path = self.folder / place
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(data, np.eye(4)), path)
        self.rows[name] = place

    def remove(self, name: str) -> None:
        (self.folder / self.rows.pop(name)).unlink()

    def study(self) -> StudyConfig:
        lines = [f"{name},CN,70,F,{place}" for name, place in self.rows.items()]
        (self.folder / "t.csv").write_text("\n".join(["id,dx,age,sex,where", *lines]))
        columns = Columns(participant="id", session="", diagnosis="dx", file="where")
        return StudyConfig(
            name="x", source="nifti", path=str(self.folder), table="t.csv", labels=("CN", "AD"), columns=columns
        )


def test_new_changed_moved_and_removed_scans_are_told_apart(tmp_path, converted):
    delivery = Nifti(tmp_path / "in")
    for content, name in enumerate("BDFHK"):
        delivery.add(name, content)
    assert set(states(run(tmp_path / "home", delivery.study())).values()) == {"new"}
    before = scans(tmp_path / "home")
    converted.clear()

    delivery.add("A", 20)  # before, between and after those that are there
    delivery.add("E", 21)
    delivery.add("Z", 22)
    delivery.add("D", 30)  # changed
    delivery.remove("F")
    (delivery.folder / "H.nii").rename(delivery.folder / "elsewhere.nii")
    delivery.rows["H"] = "elsewhere.nii"  # another place
    delivery.rows["L"] = delivery.rows.pop("K")  # another name
    ledger = run(tmp_path / "home", delivery.study())

    assert sorted(converted) == [f"sub-{name}_ses-01" for name in "ADEZ"]
    assert states(ledger) == {
        f"sub-{name}_ses-01": state
        for name, state in zip(
            "ABDEFHLZ", ["new", "unchanged", "changed", "new", "removed", "moved", "moved", "new"], strict=True
        )
    }
    after = scans(tmp_path / "home")
    assert set(after) == {f"sub-{name}_ses-01" for name in "ABDEHLZ"}
    assert after["sub-L_ses-01"] == before["sub-K_ses-01"]
    assert after["sub-D_ses-01"] != before["sub-D_ses-01"]
    assert not list((tmp_path / "home").rglob("sub-F*"))

    converted.clear()
    assert set(states(run(tmp_path / "home", delivery.study())).values()) == {"unchanged"}
    assert converted == []


def test_names_that_change_hands_take_their_results_along(tmp_path, converted):
    delivery = Nifti(tmp_path / "in")
    for content, name in enumerate("ABCD"):
        delivery.add(name, content)
    run(tmp_path / "home", delivery.study())
    before = scans(tmp_path / "home")
    converted.clear()

    places = list(delivery.rows.values())
    delivery.rows = dict(zip("ABCD", [places[1], places[0], *places[2:]], strict=True))  # A and B swapped
    delivery.rows["E"] = delivery.rows.pop("D")
    delivery.rows["D"] = delivery.rows.pop("C")  # a chain
    ledger = run(tmp_path / "home", delivery.study())

    assert converted == []
    assert set(states(ledger).values()) == {"moved"}
    after = scans(tmp_path / "home")
    names = {"A": "B", "B": "A", "D": "C", "E": "D"}
    assert after == {f"sub-{new}_ses-01": before[f"sub-{old}_ses-01"] for new, old in names.items()}


def test_a_changed_sidecar_is_a_change(tmp_path, converted):
    delivery = Nifti(tmp_path / "in")
    delivery.add("A", 1)
    run(tmp_path / "home", delivery.study())
    (delivery.folder / "A.json").write_text('{"EchoTime": 0.003}')

    assert states(run(tmp_path / "home", delivery.study())) == {"sub-A_ses-01": "changed"}


def test_the_same_size_and_date_do_not_hide_a_change(tmp_path, converted):
    delivery = Nifti(tmp_path / "in")
    delivery.add("A", 1)
    run(tmp_path / "home", delivery.study())
    path = delivery.folder / "A.nii"
    moment = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(moment.st_atime_ns, moment.st_mtime_ns))

    assert states(run(tmp_path / "home", delivery.study())) == {"sub-A_ses-01": "changed"}


def test_a_scan_that_could_not_be_used_is_unchanged_next_time(tmp_path, converted):
    delivery = Nifti(tmp_path / "in")
    delivery.add("A", 1)
    (delivery.folder / "A.nii").write_bytes(b"no scan")
    ledgers = [run(tmp_path / "home", delivery.study()) for _ in range(2)]

    assert [(row.decision, row.rule, row.state) for ledger in ledgers for row in ledger.itertuples()] == [
        ("reject", "scan.unusable", "new"),
        ("reject", "scan.unusable", "unchanged"),
    ]


def test_a_dry_run_writes_nothing_and_says_everything(tmp_path, converted, capsys):
    delivery = Nifti(tmp_path / "in")
    delivery.add("A", 1)
    delivery.add("B", 2)
    delivery.remove("B")
    delivery.rows["B"] = "B.nii"

    SequentialRunner().run(create_dry_run(["training"]), catalog_of(tmp_path / "home", delivery.study()))

    said = capsys.readouterr().out
    assert not (tmp_path / "home").exists() and converted == []
    assert "sub-A_ses-01" in said and "files.missing" in said and "nothing was written" in said
    assert str(tmp_path) not in said


def write_patient(root: Path, patient: str, year: int, folder: str = "") -> None:
    series = Series(patient, DATED.replace(year=year).to_pydatetime(), 3, "t1_mprage", echo_time=3.0)
    voxels = np.random.default_rng(abs(year)).integers(0, 900, SHAPE).astype(np.float32)
    place = root / (folder or patient)
    place.mkdir(parents=True)
    for number, content in enumerate(series_files(series, Volume(voxels, np.eye(4)))):
        (place / f"IM{number}").write_bytes(content)


def test_dicom_patients_keep_their_numbers_and_only_what_changed_is_converted(tmp_path, converted):
    for patient, year in {"P5": 2015, "P3": 2013, "P7": 2017, "P9": 2019}.items():
        write_patient(tmp_path / "in", patient, year)
    study = StudyConfig(name="x", source="dicom", path=str(tmp_path / "in"), labels=("CN", "AD"))
    run(tmp_path / "home", study)
    before = scans(tmp_path / "home")  # 0001 is P3, then P5, P7, P9
    converted.clear()

    write_patient(tmp_path / "in", "P1", 2011)
    write_patient(tmp_path / "in", "P4", 2014)
    write_patient(tmp_path / "in", "Z9", 2023)
    first = tmp_path / "in" / "P5" / "IM0"
    image = pydicom.dcmread(first)
    image.PixelData = image.PixelData[::-1]
    image.save_as(first)
    (tmp_path / "in" / "P7").rename(tmp_path / "in" / "renamed")
    for file in (tmp_path / "in" / "P9").iterdir():
        file.unlink()
    ledger = run(tmp_path / "home", study)

    assert states(ledger) == {
        "sub-0001_ses-01": "unchanged",
        "sub-0002_ses-01": "changed",
        "sub-0003_ses-01": "moved",
        "sub-0004_ses-01": "removed",
        "sub-0005_ses-01": "new",
        "sub-0006_ses-01": "new",
        "sub-0007_ses-01": "new",
    }
    assert sorted(converted) == [f"sub-{number:04d}_ses-01" for number in (2, 5, 6, 7)]
    after = scans(tmp_path / "home")
    assert [after[key] == before[key] for key in sorted(before)[:3]] == [True, False, True]
    assert "sub-0004_ses-01" not in after


def test_another_series_beside_it_does_not_touch_a_scan(tmp_path, converted):
    write_patient(tmp_path / "in", "P1", 2011)
    study = StudyConfig(name="x", source="dicom", path=str(tmp_path / "in"), labels=("CN", "AD"))
    run(tmp_path / "home", study)
    converted.clear()
    for file in sorted((tmp_path / "in" / "P1").iterdir())[:5]:
        image = pydicom.dcmread(file)
        image.SeriesInstanceUID, image.SOPInstanceUID = generate_uid(), generate_uid()
        image.SeriesDescription = "t2"
        image.save_as(file.with_name(f"other{file.name}"))

    assert states(run(tmp_path / "home", study)) == {"sub-0001_ses-01": "unchanged"}
    assert converted == []
