"""Everything one run is told, in one frozen tree."""

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cohortsmith.config.base import Config
from cohortsmith.config.classifier import ClassifierChoice, CustomConfig
from cohortsmith.config.cohort import CohortConfig
from cohortsmith.config.generator import GeneratorConfig, RHVAEConfig, SamplerConfig, TrainingConfig
from cohortsmith.config.ingest import IngestConfig
from cohortsmith.config.judge import JudgeConfig
from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.config.study import PhantomConfig, StudyConfig
from cohortsmith.errors import ConfigurationError


class ExecutionConfig(Config):
    """How the work is spread; results are the same bytes whatever is chosen.

    engine: `local` (processes of this machine) or `dask` (extra `cluster`).
    workers: processes for scans and classifiers; 0 means one per core.
    scheduler: address of a running Dask scheduler; nothing means Dask workers on this machine.
    memory_per_worker_gb: what one worker may need; fewer are started where memory is short. 0: the step's estimate.
    attempts: how often a job that takes its worker down is tried before it is set aside.
    """

    engine: Literal["local", "dask"] = "local"
    workers: int = Field(0, ge=0)
    scheduler: str = ""
    memory_per_worker_gb: float = Field(0, ge=0)
    attempts: int = Field(2, ge=1, le=10)


class RunConfig(Config):
    """The whole of `parameters*.yml`; every top-level key is a field here."""

    study: StudyConfig
    ingest: IngestConfig = IngestConfig()
    phantom: PhantomConfig = PhantomConfig()
    cohort: CohortConfig = CohortConfig()
    split: SplitConfig = SplitConfig()
    preparation: PreparationConfig = PreparationConfig()
    generator: GeneratorConfig = RHVAEConfig()
    training: TrainingConfig = TrainingConfig()
    sampler: SamplerConfig = SamplerConfig()
    classifier: ClassifierChoice = CustomConfig()
    judge: JudgeConfig = JudgeConfig()
    random_search: RandomSearchConfig = RandomSearchConfig()
    execution: ExecutionConfig = ExecutionConfig()
    seed: int = Field(1, ge=0)


def read_run_config(parameters: dict[str, Any]) -> RunConfig:
    """Check the run's parameters and what they point at, before anything is started.

    Raises:
        ConfigurationError: an unknown key, a value out of range, or a folder that is not there.
    """
    config = RunConfig.read(parameters, "parameters")
    _check_sampler(config)
    _check_judge(config)
    if "judge" in config.study.stages:
        _check_judgement(config)
    _check_preparation(config.preparation)
    _check_keep_tables(config.cohort)
    if config.study.simulated:
        _check_simulated(config.study)
        _check_delivered(config)
    else:
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


_WITH_A_TABLE = ("nifti", "slices", "bids")


def _check_judge(config: RunConfig) -> None:
    judge, split = config.judge, config.split
    known = ("full", *split.train_subsets)
    if judge.training_sets and (set(judge.training_sets) - set(known) or split.train_on not in judge.training_sets):
        raise _unjudgeable(
            "training_sets",
            judge.training_sets,
            f"some of {', '.join(map(str, known))} (split.train_subsets), split.train_on ({split.train_on}) among them",
        )
    if config.study.columns.further and config.study.source not in _WITH_A_TABLE:
        raise ConfigurationError(
            "this source carries no further columns along",
            where="parameters.study.columns.further",
            got=f"study.source {config.study.source}",
            expected=f"one of: {', '.join(_WITH_A_TABLE)}",
            remedy="remove study.columns.further",
        )
    columns = ("age", "mmse", *config.study.columns.further)
    if set(judge.reference_columns) - set(columns):
        raise _unjudgeable("reference_columns", judge.reference_columns, f"some of {', '.join(columns)}")
    if judge.optimised is not None and "optimised" not in judge.nets:
        raise _unjudgeable("nets", judge.nets, "optimised among them, as judge.optimised says which network that is")
    if judge.is_searched and split.folds:
        raise _unjudgeable(
            "nets",
            judge.nets,
            "baseline, or judge.optimised to say which: a search would have seen whom the folds test",
        )
    if judge.quarantine == "exclude":
        _check_exclusion(config)


def _check_judgement(config: RunConfig) -> None:
    if "real" not in config.judge.arms:
        raise _unjudgeable("arms", config.judge.arms, "real among them: every other arm is compared with it")
    if config.training.stop_on == "validation":
        raise ConfigurationError(
            "generators would see subjects whom the classifiers are validated on",
            where="parameters.training.stop_on",
            got="validation",
            expected="training, in a study that is judged",
            remedy="set training.stop_on: training, or leave judge out of study.stages",
        )
    if not config.split.validation:
        raise _unsplit("validation", "above 0: the best step of a training is chosen on validation subjects")
    # With folds as well: classifiers of the run's own training set are judged beside the cross-validation.
    if not config.split.test and not config.study.external_path:
        raise _unsplit("test", "above 0, or an external study (study.external_path): there is nothing to test on")


def _unsplit(key: str, expected: str) -> ConfigurationError:
    return ConfigurationError(
        "the study cannot be judged on this split",
        where=f"parameters.split.{key}",
        got="0",
        expected=expected,
        remedy=f"set split.{key} in conf/<environment>/parameters.yml, or leave judge out of study.stages",
    )


def _check_exclusion(config: RunConfig) -> None:
    judge, n = config.judge, config.sampler.n_samples
    if judge.doses[-1] > n:
        raise _unjudgeable(
            "n_synthetic", judge.n_synthetic, f"at most sampler.n_samples ({n}): with quarantine: exclude only those"
        )
    if len(judge.training_sets) > 1 or config.split.folds:
        raise _unjudgeable(
            "quarantine",
            "exclude",
            "report, as copies are screened on the run's own training set (split.train_on) only",
        )


def _unjudgeable(key: str, got: object, expected: str) -> ConfigurationError:
    return ConfigurationError(
        "the classifiers cannot be trained as the configuration says",
        where=f"parameters.judge.{key}",
        got=str(got),
        expected=expected,
        remedy=f"correct judge.{key} in conf/<environment>/parameters.yml",
    )


def _check_preparation(preparation: PreparationConfig) -> None:
    _check_file("preparation.decisions", preparation.decisions)
    _check_file("preparation.external_decisions", preparation.external_decisions)
    _check_file("preparation.template.path", preparation.template.path)
    if preparation.template.path:
        _check_template(Path(preparation.template.path), preparation.template.sha256)


def _check_keep_tables(cohort: CohortConfig) -> None:
    _check_file("cohort.keep_table", cohort.keep_table)
    _check_file("cohort.external_keep_table", cohort.external_keep_table)


def _check_file(key: str, path: str) -> None:
    if path and not Path(path).is_file():
        raise ConfigurationError(
            "a file that the configuration names is not there",
            where=f"parameters.{key}",
            got=path,
            expected="an existing file, or nothing",
            remedy=f"set {key} in conf/<environment>/parameters.yml, or remove it",
        )


def _check_template(path: Path, expected: str) -> None:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise ConfigurationError(
            "the template is not the expected file",
            where="parameters.preparation.template",
            got=f"SHA-256 {found}",
            expected=f"SHA-256 {expected}",
            remedy="unpack or fetch it again; for another template set template.sha256 and template.space as well",
        )


def _check_delivered(config: RunConfig) -> None:
    if config.ingest.dry_run and not Path(config.study.path).is_dir():
        raise ConfigurationError(
            "the simulated study has not been delivered yet: there is nothing to look at",
            where="parameters.ingest.dry_run",
            got="a dry run before any other",
            expected="a delivery, which only a real run simulates",
            remedy="run kedro run --pipelines ingest first, in the same environment",
        )


def _check_simulated(study: StudyConfig) -> None:
    # The base configuration is that of the simulated study: a study of one's own must not inherit that it is simulated.
    delivered = ("01_raw", study.name, "training")
    if study.source != "adni" or Path(study.path).parts[-len(delivered) :] != delivered:
        raise ConfigurationError(
            "a study of one's own is taken for the simulated one",
            where="parameters.study.simulated",
            got=f"true, with study.source {study.source}",
            expected=f"false, or the simulated study where it is delivered: .../{'/'.join(delivered)}",
            remedy="set study.simulated: false in conf/<environment>/parameters.yml",
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
