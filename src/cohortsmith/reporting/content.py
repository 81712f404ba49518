"""Everything a report shows, as plain data; whatever is absent is said to be absent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.judge import Mixture
from cohortsmith.config.run import RunConfig
from cohortsmith.evaluation.verdict import Verdict
from cohortsmith.records import Rejection

Image = NDArray[np.float32]
Planes = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class RunFacts:
    """What was run. command: exact and without paths. versions: library -> version."""

    study: str
    command: str
    seed: int
    versions: Mapping[str, str]
    is_phantom: bool = False
    date: str = ""


@dataclass(frozen=True)
class PreparedScan:
    """One scan to be looked at.

    planes: 2-D images with row 0 on top (`figures.planes.central_planes`), uint8 or in [0, 1].
    quality: the numbers of `imaging.quality`. flag: why it is dropped or should be looked at.
    decision: keep, drop or look. note: who decided, if a person did, and why. role: training or external.
    """

    key: str
    quality: Mapping[str, float]
    planes: Planes
    flag: str = ""
    decision: str = "keep"
    note: str = ""
    role: str = "training"


@dataclass(frozen=True)
class Preparation:
    """All prepared scans. template: its planes on the same grid; their edges are drawn over every scan.

    sort_by: the quality number whose lowest values come first.
    """

    scans: Sequence[PreparedScan]
    template: Planes = ()
    sort_by: str = "template_correlation"


@dataclass(frozen=True)
class Neighbour:
    """A synthetic image (*shape) beside the training image nearest to it. distance: RMSE in intensity units."""

    synthetic_key: str
    synthetic: Image
    real_key: str
    real: Image
    distance: float
    flagged: bool = False


@dataclass(frozen=True)
class Generator:
    """One diagnosis' generator.

    history: one row per epoch: epoch, elbo, reconstruction, kl (nats). real, synthetic: (n, *shape) in [0, 1].
    copy_screen: its outcome in words. diagnostics: of the chains that drew the latent points.
    n_quarantined: of n_screened synthetic scans. membership: one row per space that scans were compared in: auc, low,
    high, closer_share, expected_share, p_value (`evaluation.membership_inference`), and shown: whether either attack
    was better than chance.
    """

    label: str
    history: pd.DataFrame | None = None
    real: NDArray[np.float32] | None = None
    synthetic: NDArray[np.float32] | None = None
    neighbours: Sequence[Neighbour] = ()
    copy_screen: str = ""
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    n_quarantined: int = 0
    n_screened: int = 0
    membership: pd.DataFrame | None = None


@dataclass(frozen=True)
class Judgement:
    """What the classifiers say. The tables are those of `evaluation.scores`, of the same names.

    scores: `score_runs`; arms: `summarise_arms`; differences: `compare_arms`.
    verdicts, rule: of `evaluation.verdict`. smallest_effect: the difference below which nothing matters.
    effect_sizes, calibration, subgroups: of `size_effects`, `calibrate_arms` and `compare_subgroups`.
    mixture: of real scans and others in a batch (`judge.mixture`).
    failed: trainings that diverged or hardly learned (`evaluation.failed_trainings`).
    reference_lines: as arms, with `column` in place of the arm: what one clinical number alone tells.
    architectures, winner: of a random search, if there was one: one row per architecture (architecture,
    balanced_accuracy, fold_0, ...), and the settings of the best.
    """

    scores: pd.DataFrame
    arms: pd.DataFrame
    differences: pd.DataFrame
    verdicts: Sequence[Verdict]
    rule: str
    smallest_effect: float
    effect_sizes: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
    subgroups: pd.DataFrame | None = None
    reference_lines: pd.DataFrame | None = None
    mixture: Mixture = "half"
    failed: pd.DataFrame | None = None
    architectures: pd.DataFrame | None = None
    winner: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Fidelity:
    """Synthetic beside held-out real scans. table: one row per diagnosis. words: diagnosis -> sentences.

    regions: of `evaluation.regional_volumes`, in ml, with sentences per diagnosis. gan: GAN-train and GAN-test beside
    the baseline (`evaluation.gan_train_test`), one row per setting and score, with sentences.
    """

    table: pd.DataFrame
    words: Mapping[str, Sequence[str]]
    regions: pd.DataFrame | None = None
    regions_words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    gan: pd.DataFrame | None = None
    gan_words: Sequence[str] = ()


@dataclass(frozen=True)
class ReportContent:
    """One report.

    cohort: a printable summary per split and diagnosis (`evaluation.cohort.format_cohort`).
    cohort_flow: what became of the converted scans of each study (`evaluation.cohort_rules.count_flow`, and role).
    warnings: what the sources lack, in whole sentences.
    split_quality: how alike the sets are (`evaluation.split_quality.compare_splits`).
    no_judgement: why there are no classifiers, when there are none.
    volumes: one row per scan: diagnosis, source (real or synthetic), ventricle_volume in ml, if it was measured.
    phantom_check: what was made of them, in ml.
    lineage: whom each generator saw (`pipelines.judge`): partition, origin, diagnosis, generator, participant_id.
    timings: step -> seconds. config: what the run was told, if the checklists shall be filled.
    """

    run: RunFacts
    config: RunConfig | None = None
    cohort: pd.DataFrame | None = None
    cohort_flow: pd.DataFrame | None = None
    split_quality: pd.DataFrame | None = None
    rejections: Sequence[Rejection] = ()
    warnings: Sequence[str] = ()
    preparation: Preparation | None = None
    generators: Sequence[Generator] = ()
    fidelity: Fidelity | None = None
    lineage: pd.DataFrame | None = None
    judgement: Judgement | None = None
    no_judgement: str = ""
    phantom_check: pd.DataFrame | None = None
    volumes: pd.DataFrame | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    methods: str = ""
    limits: Sequence[str] = ()
    citation: str = ""
