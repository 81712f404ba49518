"""Which synthetic scans the classifiers see."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import StudyConfig
from cohortsmith.errors import StudyError
from cohortsmith.pipelines.judge.sources import gather_sources, latents_of, mark_of

STUDY = StudyConfig(name="tiny", source="bids", labels=("CN", "AD"))
KEY = ("train-full", "synthetic")
NO_OTHERS = pd.DataFrame({"partition": ["train-full"]})


def own(label: str, first: float, flagged: tuple[float | bool, ...], n_further: int = 0) -> tuple:
    keys = [f"sub-syn{label}{i:05d}" for i in range(len(flagged) + n_further)]
    points = pd.DataFrame({"key": keys, "z0": first + np.arange(len(keys), dtype=float)})
    n = len(flagged)
    copying = pd.DataFrame({"key": keys[:n], "flagged": flagged})
    return Path(label), points[:n], points[n:].assign(draw=0), copying


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> dict:
        return {"label": path.parent.name, "fingerprint": f"mark of {path.parent.name}", "subjects": ["sub-1"]}

    monkeypatch.setattr("cohortsmith.pipelines.judge.sources.read_provenance", read)


CONTROLS, PATIENTS = own("CN", 0, (True, False, False, False)), own("AD", 10, (False, True, True, False))


def seen(*made, n: int = 3, **judge) -> list[float]:
    sources = gather_sources(STUDY, SplitConfig(), JudgeConfig(**{"draws": "shared"} | judge), NO_OTHERS, {}, *made)
    latents = latents_of(sources[KEY], n)
    assert (latents.labels == np.repeat([0, 1], len(latents.labels) // 2)).all()
    return latents.points[:, 0].tolist()


def test_flagged_scans_are_judged_by_default():
    assert seen(*CONTROLS, *PATIENTS) == [0, 1, 2, 10, 11, 12]


def test_points_beyond_the_exported_ones_follow_them():
    made = (*own("CN", 0, (False, False), 2), *own("AD", 10, (False, False), 2))

    assert seen(*made) == [0, 1, 2, 10, 11, 12]


def test_exclusion_leaves_only_what_passed_the_screen():
    assert seen(*CONTROLS, *PATIENTS, n=2, n_synthetic=2, quarantine="exclude") == [1, 2, 10, 13]


def test_a_dose_is_what_it_is_called_or_refused():
    with pytest.raises(StudyError, match="3 of 4, 2 of 4") as refusal:
        seen(*CONTROLS, *PATIENTS, n_synthetic=(1, 3), quarantine="exclude")

    assert "3 of each diagnosis" in refusal.value.expected


def test_what_was_never_screened_does_not_fill_the_place_of_what_was_flagged():
    made = (*own("CN", 0, (True, False), 2), *own("AD", 10, (False, False), 2))

    with pytest.raises(StudyError, match="1 of 2, 2 of 2"):
        seen(*made, n_synthetic=2, quarantine="exclude", draws="per_seed")


def test_exclusion_still_takes_no_more_than_asked_for():
    assert seen(*CONTROLS, *PATIENTS, n=1, n_synthetic=1, quarantine="exclude") == [1, 10]


@pytest.mark.parametrize("flagged", [True, np.nan], ids=["all flagged", "not screened"])
def test_a_label_with_nothing_left_is_refused(flagged):
    with pytest.raises(StudyError, match="0 of 2") as refusal:
        seen(*CONTROLS, *own("AD", 10, (flagged, flagged)), quarantine="exclude")

    assert "judge.quarantine: report" in refusal.value.remedy


def test_the_hash_of_what_is_seen_depends_on_the_points_and_on_the_generator_and_on_nothing_else():
    sources = gather_sources(STUDY, SplitConfig(), JudgeConfig(draws="shared"), NO_OTHERS, {}, *CONTROLS, *PATIENTS)[
        KEY
    ]
    moved = sources[0]._replace(draws=(sources[0].draws[0] + 1,))
    elsewhere = sources[0]._replace(generator=Path("elsewhere"))

    assert mark_of(sources, 2) == mark_of((elsewhere, sources[1]), 2)
    others = [((moved, sources[1]), 2), (sources, 1), ((sources[0]._replace(mark="other"), sources[1]), 2)]
    assert len({mark_of(sources, 2), *(mark_of(*other) for other in others)}) == 4
