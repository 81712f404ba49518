"""Gather what each generator is and makes, and write the cards of all models that are kept."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohortsmith.config.run import RunConfig
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.reporting.classifier_card import ClassifierFacts, write_classifier_card
from cohortsmith.reporting.content import Generator, Neighbour, RunFacts
from cohortsmith.reporting.model_card import ModelFacts, card_as_markdown, describe_model

Images = NDArray[np.float32]
SHOWN = 8


def gather_generator(
    generator: TrainedGenerator,
    synthetic: Images,
    images: Images,
    splits: pd.DataFrame,
    diagnostics: dict[str, float],
    copying: pd.DataFrame,
    copying_summary: dict[str, Any],
    membership: pd.DataFrame,
) -> Generator:
    """Gather one diagnosis' training, samples, chains, nearest real neighbours and the attacks on membership."""
    rows = splits[(splits["diagnosis"] == generator.label) & (splits["split"] == "train")]
    neighbours = _neighbours(copying, synthetic, images, splits) if "distance" in copying else []
    return Generator(
        label=generator.label,
        history=pd.DataFrame([row._asdict() for row in generator.fitted.history]),
        real=np.asarray(images[rows.index.to_numpy()[:SHOWN]]),
        synthetic=np.asarray(synthetic[:SHOWN]),
        neighbours=neighbours,
        copy_screen=copying_summary["sentence"],
        n_quarantined=copying_summary.get("quarantined", 0),
        n_screened=len(copying),
        membership=membership,
        diagnostics=diagnostics,
    )


def gather_generators(*generators: Generator) -> list[Generator]:
    """Put the diagnoses' generators in order."""
    return list(generators)


def write_model_card(
    generator: TrainedGenerator,
    splits: pd.DataFrame,
    copying_summary: dict[str, Any],
    membership: pd.DataFrame,
    run: RunFacts,
    config: RunConfig,
) -> tuple[str, dict[str, Any]]:
    """Say what a generator was made of, what it is for, and what it must not be used for: as Markdown and as JSON."""
    card = describe_model(ModelFacts(generator, splits, copying_summary["sentence"], membership, run, config))
    return card_as_markdown(card), card


def write_classifiers_card(
    splits: pd.DataFrame, arms: pd.DataFrame, images: Images, run: RunFacts, config: RunConfig
) -> str:
    """Say what the kept networks of the judge are, what they are for, and what they must not be used for."""
    return write_classifier_card(ClassifierFacts(splits, arms, images.shape[1:], run, config))


def _neighbours(copying: pd.DataFrame, synthetic: Images, images: Images, splits: pd.DataFrame) -> list[Neighbour]:
    closest = copying.sort_values("distance").head(SHOWN)
    row_of = dict(zip(splits["key"], splits.index, strict=True))
    return [
        Neighbour(
            synthetic_key=f"synthetic {row.diagnosis} {row.Index}",
            synthetic=np.asarray(synthetic[row.Index]),
            real_key=row.nearest,
            real=np.asarray(images[row_of[row.nearest]]),
            distance=row.distance,
            flagged=row.flagged,
        )
        for row in closest.itertuples()
    ]
