"""The table of contents: which pipelines there are, in the order of the science.

Labels, roles and stages come from the run's own parameters, so a study with other labels needs no code.
"""

from typing import get_args

from kedro.pipeline import Pipeline

from cohortsmith.config.run import RunConfig, read_run_config
from cohortsmith.config.study import Stage
from cohortsmith.hooks import RunParameters
from cohortsmith.pipelines import augment, ingest, judge, learn, phantom, prepare, report

STAGES = get_args(Stage)


def register_pipelines() -> dict[str, Pipeline]:
    """Build every pipeline for the study that this run is about."""
    config = RunParameters.config or _read_base_configuration()
    study = config.study
    roles = ("training", "external") if study.external_path else ("training",)
    searched = config.judge.is_searched
    if config.ingest.dry_run:
        return dict.fromkeys((*STAGES, "__default__"), ingest.create_dry_run(roles))
    built = {
        "ingest": ingest.create_pipeline(roles, simulated=study.simulated),
        "prepare": prepare.create_pipeline(roles),
        "learn": learn.create_pipeline(
            roles, study.labels, folds=config.split.folds > 0, judged="judge" in study.stages
        ),
        "augment": augment.create_pipeline(study.labels),
        "judge": judge.create_pipeline(roles, study.labels, simulated=study.simulated, searched=searched),
    }
    if study.simulated:
        built["ingest"] = phantom.create_pipeline(roles) + built["ingest"]
    stages = [stage for stage in built if stage in study.stages]
    built["report"] = report.create_pipeline(roles, study.labels, stages, simulated=study.simulated, searched=searched)
    everything = sum((built[stage] for stage in (*stages, "report") if stage in study.stages), Pipeline([]))
    named = {stage: built[stage] for stage in (*stages, "report")}
    if "judge" in stages:
        named["interim"] = judge.create_interim()
    return {**named, "__default__": everything}


def _read_base_configuration() -> RunConfig:
    from kedro.config import OmegaConfigLoader  # noqa: PLC0415 - only for commands without a run, like `registry list`

    from cohortsmith.settings import CONFIG_LOADER_ARGS, ROOT  # noqa: PLC0415 - settings imports the hooks

    return read_run_config(OmegaConfigLoader(str(ROOT / "conf"), **CONFIG_LOADER_ARGS)["parameters"])
