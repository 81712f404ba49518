"""A trained generator together with whom it saw, so that no synthetic scan loses its descent."""

from typing import NamedTuple

from cohortsmith.models.fitted import FittedVAE


class TrainedGenerator(NamedTuple):
    """A fitted model of one diagnosis and its provenance.

    label: diagnosis. subjects: participant ids it was trained on. fingerprint: of everything it was made from.
    """

    fitted: FittedVAE
    label: str
    subjects: tuple[str, ...]
    fingerprint: str
    seed: int
