"""Which of the converted scans a study uses."""

from typing import Literal

from cohortsmith.config.base import Config


class CohortConfig(Config):
    """How the cohort is selected from the converted scans and all clinical visits.

    stable: leave out subjects whose diagnosis differs at any clinical visit, scanned or not.
    keep_smc: keep subjects who entered the study with subjective memory complaints (group SMC).
    sessions: each subject's earliest scan that is left, or all of them.
    keep_table, external_keep_table: a table of the scans that passed a check (participant_id and, if it has one,
        session_id); all others are left out. Empty: no such check.
    """

    stable: bool = True
    keep_smc: bool = False
    sessions: Literal["first", "all"] = "first"
    keep_table: str = ""
    external_keep_table: str = ""
