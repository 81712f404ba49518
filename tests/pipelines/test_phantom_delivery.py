"""The embedded study is delivered once, goes on after a kill, and leaves nothing behind of an older one."""

from pathlib import Path

import pytest

from cohortsmith.config.run import ExecutionConfig
from cohortsmith.config.study import PhantomConfig
from cohortsmith.datasets.file_tree import FileTree
from cohortsmith.datasets.record_folder import RecordFolder
from cohortsmith.execution import Outcome
from cohortsmith.imaging.phantom.delivery.embedded import Delivery, delivered_people
from cohortsmith.pipelines.phantom import nodes

PHANTOM = PhantomConfig(n_subjects=2, n_external=3)


class Study:
    """A delivery on disk, and who was simulated last."""

    def __init__(self, root: Path) -> None:
        self.root, self.simulated = root, list[str]()
        self.tree, self.truth = FileTree(filepath=str(root)), RecordFolder(filepath=str(root / "truth"))

    def run(self, phantom: PhantomConfig = PHANTOM, stop_after: int = 99) -> list[str]:
        """Deliver as the catalog does: files first, then the record; possibly killed between the two."""
        self.simulated = []
        steps = nodes.simulate_scans(
            None, self.tree.load(), self.truth.load(), phantom, ExecutionConfig(workers=1), role="training"
        )
        for number, (files, records) in enumerate(steps):
            self.tree.save(files)
            if number >= stop_after:
                break
            self.truth.save(records)
        return self.simulated


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    study = Study(tmp_path)

    def deliver(function, items, **_):
        for key, (phantom, _role, number) in items.items():
            study.simulated.append(key)
            content = f"{number} {phantom.voxel_size}".encode()
            yield Outcome(key, value=Delivery({f"ADNI/{key}/{phantom.voxel_size}.nii": content}, {"effect": 1.0}))

    monkeypatch.setattr(nodes, "run_items", deliver)
    return study


def images(study: Study) -> set[str]:
    return {name for name in study.tree.load() if name.startswith("ADNI")}


def test_everybody_is_delivered_once(study):
    everybody = list(delivered_people(PHANTOM, "training"))

    assert study.run() == everybody
    assert study.run() == []
    assert len(images(study)) == len(everybody) == len(study.truth.load())


def test_who_was_not_delivered_before_a_kill_is_delivered_by_the_next_run(study):
    everybody = study.run(stop_after=3)

    assert sorted(study.truth.load()) == sorted(everybody[:2])
    assert study.run() == [key for key in delivered_people(PHANTOM, "training") if key not in everybody[:2]]


def test_a_file_that_was_deleted_is_delivered_again(study):
    first = study.run()[0]
    (study.root / "ADNI" / first / "3.0.nii").unlink()

    assert study.run() == [first]


def test_another_study_leaves_no_file_of_the_old_one(study):
    study.run()
    finer = PHANTOM.model_copy(update={"voxel_size": 2.0, "n_subjects": 1})

    study.run(finer)

    assert {name.rsplit("/")[-1] for name in images(study)} == {"2.0.nii"}
    assert set(study.truth.load()) == set(delivered_people(finer, "training"))


def test_records_of_a_version_that_delivered_otherwise_are_removed(study):
    (study.root / "truth").mkdir(parents=True)
    (study.root / "truth" / "P0001.json").write_text('{"Key": "P0001", "effect": 1.0, "Fingerprint": "old"}')

    study.run()

    assert "P0001" not in study.truth.load()
