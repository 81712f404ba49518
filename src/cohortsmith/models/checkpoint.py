"""A fitted model as tensors (for safetensors) and plain JSON, and back; nothing is pickled."""

from typing import Any

from torch import Tensor

from cohortsmith.config.generator import read_generator
from cohortsmith.core.metric import MetricField
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.fitted import EpochRecord, FittedVAE, restore
from cohortsmith.models.vae import Posterior

FORMAT = 2
_CENTROIDS, _FACTORS = "field.centroids", "field.factors"
_MEANS, _LOG_VARIANCES = "codes.mean", "codes.log_variance"
_SCALARS = ("temperature", "regularization")
_STATE = "state."


def to_checkpoint(fitted: FittedVAE) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split a fitted model into contiguous tensors by name and a dictionary that JSON can hold."""
    tensors = {_STATE + name: value for name, value in fitted.state.items()}
    tensors |= {_MEANS: fitted.codes.mean, _LOG_VARIANCES: fitted.codes.log_variance}
    if fitted.field is not None:
        tensors |= {_CENTROIDS: fitted.field.centroids, _FACTORS: fitted.field.factors}
    plain = {
        "format": FORMAT,
        "config": fitted.config.model_dump(mode="json"),
        "image_shape": list(fitted.image_shape),
        "field": None if fitted.field is None else {name: float(getattr(fitted.field, name)) for name in _SCALARS},
        "history": [record._asdict() for record in fitted.history],
    }
    return {name: value.detach().contiguous() for name, value in tensors.items()}, plain


def from_checkpoint(tensors: dict[str, Tensor], plain: dict[str, Any]) -> FittedVAE:
    """Put a fitted model together again.

    Raises:
        ConfigurationError: another format, or tensors that do not fit the configuration.
    """
    if plain.get("format") != FORMAT:
        raise _unusable(f"format {plain.get('format')}", f"format {FORMAT}")
    try:
        fitted = FittedVAE(
            read_generator(plain["config"], "model.config"),
            tuple(plain["image_shape"]),
            {name.removeprefix(_STATE): value for name, value in tensors.items() if name.startswith(_STATE)},
            Posterior(tensors[_MEANS], tensors[_LOG_VARIANCES]),
            plain["field"] and MetricField(tensors[_CENTROIDS], tensors[_FACTORS], **plain["field"]),
            tuple(EpochRecord(**record) for record in plain["history"]),
        )
        restore(fitted)
    except (KeyError, TypeError, RuntimeError) as error:
        raise _unusable(f"{type(error).__name__}: {error}", "the tensors that its description names") from error
    return fitted


def _unusable(got: str, expected: str) -> ConfigurationError:
    return ConfigurationError(
        "a stored generator cannot be read",
        where="model description",
        got=got,
        expected=expected,
        remedy="remove the generator's two files and train it again",
    )
