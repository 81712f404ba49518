"""A fitted RHVAE as tensors (for safetensors) and plain JSON, and back; nothing is pickled."""

from typing import Any

from torch import Tensor

from cohortsmith.config.generator import RHVAEConfig
from cohortsmith.core.metric import MetricField
from cohortsmith.errors import ConfigurationError
from cohortsmith.models.rhvae import EpochRecord, FittedRHVAE, restore

FORMAT = 1
_CENTROIDS, _FACTORS = "field.centroids", "field.factors"
_STATE = "state."


def to_checkpoint(fitted: FittedRHVAE) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split a fitted RHVAE into contiguous tensors by name and a dictionary that JSON can hold."""
    tensors = {_STATE + name: value for name, value in fitted.state.items()}
    tensors |= {_CENTROIDS: fitted.field.centroids, _FACTORS: fitted.field.factors}
    plain = {
        "format": FORMAT,
        "config": fitted.config.model_dump(mode="json"),
        "image_shape": list(fitted.image_shape),
        "temperature": fitted.field.temperature,
        "regularization": fitted.field.regularization,
        "history": [record._asdict() for record in fitted.history],
    }
    return {name: value.detach().contiguous() for name, value in tensors.items()}, plain


def from_checkpoint(tensors: dict[str, Tensor], plain: dict[str, Any]) -> FittedRHVAE:
    """Put a fitted RHVAE together again.

    Raises:
        ConfigurationError: another format, or tensors that do not fit the configuration.
    """
    if plain.get("format") != FORMAT:
        raise _unusable(f"format {plain.get('format')}", f"format {FORMAT}")
    try:
        fitted = FittedRHVAE(
            RHVAEConfig.read(plain["config"], "model.config"),
            tuple(plain["image_shape"]),
            {name.removeprefix(_STATE): value for name, value in tensors.items() if name.startswith(_STATE)},
            MetricField(tensors[_CENTROIDS], tensors[_FACTORS], plain["temperature"], plain["regularization"]),
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
