"""Frozen, typed configuration whose error names the allowed keys."""

import difflib
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cohortsmith.errors import ConfigurationError


class Config(BaseModel):
    """A frozen block of the configuration; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, validate_default=True)

    @classmethod
    def read(cls, values: Any, where: str) -> Self:
        """Build the block from plain values, or raise `ConfigurationError` naming key, value and allowed keys."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _explain(cls, error, where) from None


Kind = TypeVar("Kind", bound=Config)


def read_kind(values: Any, where: str, what: str, kinds: Mapping[str, type[Kind]], default: str) -> Kind:
    """Build the configuration of the kind that `values` names, or of the default kind where it names none.

    what: what the kinds are of, for the message.

    Raises:
        ConfigurationError: an unknown kind, a key that this kind has not, or a value out of range.
    """
    for known in kinds.values():
        if isinstance(values, known):
            return values
    kind = values.get("kind", default) if isinstance(values, dict) else default
    if kind not in kinds:
        raise ConfigurationError(
            f"unknown kind of {what}",
            where=f"{where}.kind",
            got=repr(kind),
            expected=f"one of: {', '.join(kinds)}",
            remedy="correct it in conf/<environment>/parameters.yml",
        )
    return kinds[kind].read(values, where)


def _explain(block: type[Config], error: ValidationError, where: str) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    place = ".".join([where, *path])
    if first["type"] == "extra_forbidden":
        allowed = sorted(_block_at(block, path[:-1]).model_fields)
        close = difflib.get_close_matches(path[-1], allowed, n=1)
        return ConfigurationError(
            f"unknown configuration key '{path[-1]}'",
            where=place,
            expected=f"one of: {', '.join(allowed)}",
            remedy=f"did you mean '{close[0]}'?" if close else "remove it or correct its name",
        )
    return ConfigurationError(
        "configuration value cannot be used",
        where=place,
        got=repr(first.get("input")),
        expected=str(first["msg"]),
        remedy="correct it in conf/<environment>/parameters*.yml",
    )


def _block_at(block: type[Config], path: list[str]) -> type[Config]:
    for part in path:
        field = block.model_fields.get(part)
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        nested = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Config)]
        block = nested[0] if nested else block
    return block
