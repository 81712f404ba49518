"""What a trained generator is made of, what it is for, and what must not be done with it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from cohortsmith.config.run import RunConfig
from cohortsmith.models.provenance import TrainedGenerator
from cohortsmith.reporting.blocks import Block, Bullets, Paragraph, Section, Table
from cohortsmith.reporting.content import RunFacts
from cohortsmith.reporting.markdown import write_sections
from cohortsmith.reporting.methods import describe_preparation
from cohortsmith.reporting.model_blocks import pairs_table, signature_code
from cohortsmith.reporting.tables import mean_and_spread, worded
from cohortsmith.reporting.wording import PHANTOM_BANNER

INTENDED = (
    "Research: to enlarge the training data of classifiers within the study that it was learned from.",
    "To be judged by the arms of the same run, which say whether it helps.",
)
LIMITS = (
    "Not anonymous: the weights were fitted to scans of persons, and the codes stored beside them give back blurred "
    "scans of those persons. Keep it, and what it makes, under the same rules as the scans themselves.",
    "The screen for copies compares distances; passing it is no proof of privacy.",
    "It makes scans of this study's scanners, template and age range only, and repeats the biases of its subjects.",
    "It is no medical device: nothing that it makes shows a person, and none of it may guide the care of one.",
)
_DECODER = "The decoder: latent points to images in [0, 1]."
_SIGNS = {True: "yes", False: "no", None: ""}


class ModelFacts(NamedTuple):
    """A generator and what is known of it. splits: one row per scan, with age (years) and sex where known.

    copy_screen: the outcome in words. membership: as in `reporting.content.Generator`.
    """

    generator: TrainedGenerator
    splits: pd.DataFrame
    copy_screen: str
    membership: pd.DataFrame
    run: RunFacts
    config: RunConfig


def describe_model(facts: ModelFacts) -> dict[str, Any]:
    """Describe the model as JSON can hold it; no subject is named."""
    generator, config = facts.generator, facts.config
    return {
        "name": f"{facts.run.study} {generator.label}",
        "kind": generator.fitted.config.kind,
        "fingerprint": generator.fingerprint,
        "seed": generator.seed,
        "simulated": config.study.simulated,
        "data": _data(facts),
        "preparation": describe_preparation(config.preparation),
        "intended_use": list(INTENDED),
        "limits": list(LIMITS),
        "copies": {"screen": facts.copy_screen, "membership": _membership(facts.membership)},
        "settings": generator.fitted.config.model_dump(mode="json"),
        "training": {**config.training.model_dump(mode="json"), "epochs_run": len(generator.fitted.history)},
        "sampler": config.sampler.model_dump(mode="json"),
        "signature": signature(generator),
        "versions": dict(facts.run.versions),
    }


def signature(generator: TrainedGenerator) -> dict[str, Any]:
    """Give the input and the output of the decoder: latent points (n, d) to images (n, *shape) in [0, 1]."""
    fitted = generator.fitted
    return {
        "input": {"name": "latent", "type": "float32", "shape": [-1, fitted.config.latent_dim]},
        "output": {"name": "image", "type": "float32", "shape": [-1, *fitted.image_shape], "range": [0, 1]},
    }


def card_as_markdown(card: dict[str, Any]) -> str:
    """Write the card for people."""
    sections = [
        Section("data", "Data", list(_data_blocks(card))),
        Section("use", "Intended use", [Bullets(card["intended_use"])]),
        Section("limits", "Limits", [Bullets(card["limits"])]),
        Section("copies", "Copies", list(_copies(card))),
        Section("signature", "Input and output", [signature_code(_DECODER, card["signature"])]),
        Section("training", "Training", [_settings(card, name) for name in ("settings", "training", "sampler")]),
        Section("versions", "Versions", [pairs_table("Libraries and code.", card["versions"])]),
    ]
    return write_sections(f"Model card: {card['name']} ({card['kind']})", sections)


def _data(facts: ModelFacts) -> dict[str, Any]:
    generator, splits, study = facts.generator, facts.splits, facts.config.study
    seen = splits["participant_id"].isin(generator.subjects) & (splits["diagnosis"] == generator.label)
    scans = splits[seen & (splits["split"] != "external")]
    subjects = scans.drop_duplicates("participant_id")
    return {
        "study": study.name,
        "source": study.source,
        "diagnosis": generator.label,
        "subjects": len(generator.subjects),
        "scans": len(scans),
        "age_mean": _number(subjects.get("age"), "mean"),
        "age_sd": _number(subjects.get("age"), "std"),
        "sex": {str(sex): int(count) for sex, count in subjects.get("sex", pd.Series()).value_counts().items()},
    }


def _number(values: pd.Series | None, how: str) -> float | None:
    found = float("nan") if values is None else float(pd.to_numeric(values, errors="coerce").agg(how))
    return None if pd.isna(found) else round(found, 1)


def _membership(table: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [name for name in ("space", "auc", "low", "high", "shown") if name in table]
    rows = table[columns].to_dict("records")
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _data_blocks(card: dict[str, Any]) -> Iterator[Block]:
    if card["simulated"]:
        yield Paragraph(PHANTOM_BANNER, "warning")
    data = card["data"]
    age = mean_and_spread(data["age_mean"], data["age_sd"], 1) if data["age_mean"] is not None else "unknown"
    sex = ", ".join(f"{count} {name}" for name, count in data["sex"].items()) or "unknown"
    yield pairs_table(
        "Subjects it was fitted to.",
        {
            "study": f"{data['study']} ({data['source']})",
            "diagnosis": data["diagnosis"],
            "subjects": data["subjects"],
            "scans": data["scans"],
            "age (years)": age,
            "sex": sex,
            "fingerprint of data and settings": card["fingerprint"],
        },
    )
    yield Paragraph(card["preparation"])


def _copies(card: dict[str, Any]) -> Iterator[Block]:
    yield Paragraph(card["copies"]["screen"])
    rows = card["copies"]["membership"]
    if rows:
        told = [
            [str(row["space"]), *(worded(row[name], 2) for name in ("auc", "low", "high")), _SIGNS[row["shown"]]]
            for row in rows
        ]
        caption = (
            "AUC of telling training subjects from held-out ones, with its interval; 0.5 is chance. Signs: whether "
            "this attack, or the one that counts the closest scans, was better than chance."
        )
        yield Table(caption, ["compared", "AUC", "low", "high", "signs"], told, [False, True, True, True, False])


def _settings(card: dict[str, Any], name: str) -> Block:
    captions = {"settings": "The model.", "training": "Its training.", "sampler": "How latent points are drawn."}
    return pairs_table(captions[name], card[name])
