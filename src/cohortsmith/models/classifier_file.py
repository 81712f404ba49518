"""A trained network of the judge on disk: weights, and what it takes to rebuild them, in one safetensors file."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from cohortsmith.config.classifier import NeuralNetworkConfig, read_classifier
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.classifier_training import ClassifierFit, Evaluation
from cohortsmith.models.tensor_file import open_tensors, write_tensors


def write_classifier(path: Path, fit: ClassifierFit, about: dict[str, Any]) -> None:
    """Write a network whole or not at all; about: plain values that say what it was trained on."""
    plain = {
        "config": fit.config.model_dump(mode="json"),
        "shape": list(fit.shape),
        "best_step": fit.best_step,
        "history": [list(row) for row in fit.history],
        "about": about,
    }
    write_tensors(path, fit.state, plain)


def read_classifier_file(path: Path) -> ClassifierFit:
    """Read what `write_classifier` wrote.

    Raises:
        ConfigurationError: there is no such file, or it holds no network.
    """
    try:
        with open_tensors(path) as (tensors, plain):
            config = read_classifier(plain["config"])
            if not isinstance(config, NeuralNetworkConfig):
                raise TypeError(f"a classifier of kind {config.kind}")
            history = tuple(Evaluation(*row) for row in plain["history"])
            return ClassifierFit(config, tuple(plain["shape"]), dict(tensors), plain["best_step"], history)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            "a trained classifier cannot be read",
            where=path.name,
            got=f"{type(error).__name__}: {error}",
            expected="what the judge wrote",
            remedy="remove the file and, to have it made anew, the record of the same name under "
            "data/07_model_output/STUDY/classifiers; then run the judge again",
        ) from error


def read_about(path: Path) -> dict[str, Any]:
    """Read what a file says its network was trained on; nothing where there is no such file."""
    try:
        with open_tensors(path) as (_, plain):
            return dict(plain["about"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return {}
