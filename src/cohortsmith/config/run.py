"""Everything one run is told, in one frozen tree."""

from pathlib import Path
from typing import Any

from pydantic import Field

from cohortsmith.config.base import Config
from cohortsmith.config.generator import GeneratorConfig, RHVAEConfig, SamplerConfig, TrainingConfig
from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.judge import ClassifierConfig, JudgeConfig
from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.config.study import PhantomConfig, SplitConfig, StudyConfig
from cohortsmith.errors import ConfigurationError


class ExecutionConfig(Config):
    """How the work is spread. workers: processes for scans and classifiers; 0 means one per core."""

    workers: int = Field(0, ge=0)


class RunConfig(Config):
    """The whole of `parameters*.yml`; every top-level key is a field here."""

    study: StudyConfig
    ingest: IngestConfig = IngestConfig()
    phantom: PhantomConfig = PhantomConfig()
    split: SplitConfig = SplitConfig()
    preparation: PreparationConfig = PreparationConfig()
    generator: GeneratorConfig = RHVAEConfig()
    training: TrainingConfig = TrainingConfig()
    sampler: SamplerConfig = SamplerConfig()
    classifier: ClassifierConfig = ClassifierConfig()
    judge: JudgeConfig = JudgeConfig()
    execution: ExecutionConfig = ExecutionConfig()
    seed: int = Field(1, ge=0)


def read_run_config(parameters: dict[str, Any]) -> RunConfig:
    """Check the run's parameters and what they point at, before anything is started.

    Raises:
        ConfigurationError: an unknown key, a value out of range, or a folder that is not there.
    """
    config = RunConfig.read(parameters, "parameters")
    _check_sampler(config)
    if config.study.source != "phantom":
        for name, path in {"path": config.study.path, "external_path": config.study.external_path}.items():
            _check_exists(name, path, required=name == "path")
    return config


_NEEDED_BY_SAMPLER = {"hmc": "rhvae", "random_walk": "rhvae", "vamp": "vamp_vae"}


def _check_sampler(config: RunConfig) -> None:
    needed = _NEEDED_BY_SAMPLER.get(config.sampler.kind, config.generator.kind)
    if config.generator.kind != needed:
        raise ConfigurationError(
            "the sampler and the generator do not go together",
            where="parameters.sampler.kind",
            got=f"{config.sampler.kind}, with generator.kind {config.generator.kind}",
            expected=f"generator.kind {needed}, or a sampler that any model has: geometric, brownian, prior, "
            "gaussian_mixture",
            remedy="change sampler.kind or generator.kind in conf/<environment>/parameters.yml",
        )


def _check_exists(name: str, path: str, *, required: bool) -> None:
    if (path or required) and not Path(path or "?").exists():
        raise ConfigurationError(
            "the study's folder is not there",
            where=f"parameters.study.{name}",
            got=path or "nothing",
            expected="an existing folder (or DICOM archive)",
            remedy=f"set study.{name} in conf/<environment>/parameters.yml to where the scans lie",
        )
