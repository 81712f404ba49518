import pytest

from cohortsmith.config.ingest import IngestConfig
from cohortsmith.imaging.sources.inventory import Inventory, Visit
from cohortsmith.imaging.sources.plan import make_plan
from cohortsmith.imaging.sources.selection import say_first_is_lost, select, subjects_with_later_sessions
from cohortsmith.records import Rejection

LABELS = ("CN", "AD")


def visit(subject: str, session: str, diagnosis: str, day: int | None = None) -> Visit:
    key = f"sub-{subject}_ses-{session}"
    return Visit(key, f"sub-{subject}", f"ses-{session}", "", diagnosis, 70.0, "F", 29.0, "n/a", candidate=key, day=day)


INVENTORY = Inventory(
    (visit("1", "M12", "CN", 365), visit("1", "bl", "CN", 0), visit("2", "bl", "MCI"), visit("3", "bl", "n/a")), ()
)


def rules(inventory: Inventory) -> dict[str, str]:
    return {one.key: one.rule for one in inventory.rejections}


def test_scans_without_a_label_of_the_study_are_set_aside() -> None:
    chosen = select(INVENTORY, IngestConfig(), LABELS)
    assert [one.key for one in chosen.visits] == ["sub-1_ses-M12", "sub-1_ses-bl"]
    assert rules(chosen) == {"sub-2_ses-bl": "table.other_diagnosis", "sub-3_ses-bl": "table.unknown_diagnosis"}
    assert chosen.rejections[0].reason == "diagnosis MCI is not one of CN, AD"


@pytest.mark.parametrize("text", ["MCI, seen by Dr QZNAME", "QZNAME", "mci", "MCI "])
def test_a_diagnosis_in_words_of_ones_own_is_not_repeated(text: str) -> None:
    (refused,) = select(Inventory((visit("2", "bl", text),), ()), IngestConfig(), LABELS).rejections
    assert refused.reason == "another diagnosis: it is not one of CN, AD"


def test_all_diagnoses_are_kept_if_wanted_and_where_none_is_known() -> None:
    assert select(INVENTORY, IngestConfig(diagnoses="all"), LABELS) == INVENTORY
    assert select(INVENTORY, IngestConfig(), ()) == INVENTORY


def test_the_first_session_is_the_earliest_day_then_the_first_name() -> None:
    chosen = select(INVENTORY, IngestConfig(diagnoses="all", sessions="first"), LABELS)
    assert rules(chosen) == {"sub-1_ses-M12": "ingest.later_session"}
    undated = Inventory((visit("1", "M12", "CN"), visit("1", "M06", "CN")), ())
    assert rules(select(undated, IngestConfig(sessions="first"), LABELS)) == {"sub-1_ses-M12": "ingest.later_session"}


def test_a_scan_of_another_diagnosis_does_not_take_the_place_of_the_first() -> None:
    converts = Inventory((visit("1", "bl", "MCI", 0), visit("1", "M12", "AD", 365)), ())
    assert [one.key for one in select(converts, IngestConfig(sessions="first"), LABELS).visits] == ["sub-1_ses-M12"]


def test_a_later_session_is_not_the_first_where_the_first_cannot_be_read() -> None:
    chosen = select(INVENTORY, IngestConfig(diagnoses="all", sessions="first"), LABELS)
    marks = {one.key: one.key for one in chosen.visits if one.key != "sub-1_ses-bl"}
    plan = make_plan(chosen, marks, {"sub-1_ses-bl": "a broken disk"}, {})
    reasons = {one.key: one.reason for one in plan.inventory.rejections}
    assert reasons == {
        "sub-1_ses-M12": "ses-bl comes before it",
        "sub-1_ses-bl": "a broken disk; no later session takes its place (ingest.sessions: first)",
    }
    assert [one.key for one in plan.inventory.visits] == ["sub-2_ses-bl", "sub-3_ses-bl"]


def test_a_broken_scan_of_a_subject_without_later_sessions_is_only_broken() -> None:
    chosen = select(INVENTORY, IngestConfig(diagnoses="all", sessions="first"), LABELS)
    refused = Rejection("sub-2_ses-bl", "ingest", "broken")
    assert say_first_is_lost(refused, subjects_with_later_sessions(chosen)) == refused
