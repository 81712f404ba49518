"""How delivered scans become BIDS."""

from typing import Literal

from cohortsmith.config.base import Config


class IngestConfig(Config):
    """What is converted, and what is written beside it.

    dry_run: only print what would be done to each scan; nothing is written and nothing follows.
    sessions: every visit of a subject, or the earliest that the other rules leave. If the scan of that one cannot be
        converted, the subject has none: a later session is not the first (for the earliest scan that can be used,
        convert all and set `cohort.sessions: first`).
    diagnoses: scans with one of the study's labels at that visit, or all of them.
    pseudonym_map: a file outside the results that says which delivered scan became which BIDS name; empty: none.
    """

    dry_run: bool = False
    sessions: Literal["all", "first"] = "all"
    diagnoses: Literal["labels", "all"] = "labels"
    pseudonym_map: str = ""
