"""A trained generator together with whom it saw, so that no synthetic scan loses its descent."""

from typing import NamedTuple

from cohortsmith.models.training import FittedRHVAE


class TrainedGenerator(NamedTuple):
    """A fitted RHVAE of one diagnosis and its provenance.

    label: diagnosis. subjects: participant ids it was trained on. fingerprint: of everything it was made from.
    """

    fitted: FittedRHVAE
    label: str
    subjects: tuple[str, ...]
    fingerprint: str
    seed: int
