"""What a run knows of itself that reporting guidelines ask for; on all else it keeps silent."""

from collections.abc import Iterator
from typing import NamedTuple

from cohortsmith.config.classifier import SupportVectorMachineConfig
from cohortsmith.config.preparation import space_name
from cohortsmith.config.run import RunConfig
from cohortsmith.reporting import classifier_methods, methods
from cohortsmith.reporting.checklists import models
from cohortsmith.reporting.content import Judgement, ReportContent
from cohortsmith.reporting.wording import listed


class Answer(NamedTuple):
    """A short answer, and the anchor of the section that says more."""

    text: str
    anchor: str = "methods"


def what_is_known(content: ReportContent) -> dict[str, Answer]:
    """Give an answer to every question that this run's configuration and results answer."""
    if content.config is None:
        return {}
    return dict(
        [
            *_of_source(content.config),
            *_of_cohort(content),
            *_of_models(content),
            *_of_judgement(content),
            *_of_anything(content),
        ]
    )


Known = Iterator[tuple[str, Answer]]


def _of_source(config: RunConfig) -> Known:
    study, preparation = config.study, config.preparation
    yield "data", Answer(_data(config))
    yield "predictors", Answer("the voxels of one T1-weighted scan, nothing else")
    yield "preprocessing", Answer(methods.describe_preparation(preparation), "preparation")
    if preparation.kind == "volume":
        box = f"the box of the {space_name(preparation)} template's head at {preparation.resolution:g} mm"
        yield "subsets", Answer(f"whole scans, cropped to {box}; {config.cohort.sessions} session(s) of each subject")
    yield (
        "de_identification",
        Answer("files bear pseudonyms or the study's own identifiers; what was removed before delivery is not known"),
    )
    yield (
        "reference_standard",
        Answer(
            f"{study.labels[1]} or {study.labels[0]} as in the study's own table; how it was assessed is not known",
            "limits",
        ),
    )


def _data(config: RunConfig) -> str:
    study = config.study
    if study.simulated:
        return "simulated scans, no patients"
    external = f"; tested also on {study.external_name or study.external_source or study.source}"
    is_tested = study.external_path and "judge" in study.stages
    return f"{study.source}, study {study.name}" + external * bool(is_tested)


def _of_cohort(content: ReportContent) -> Known:
    config = content.config
    assert config is not None
    yield (
        "missing",
        Answer(
            "a missing diagnosis is filled where the nearest known ones before and after agree; scans still without, "
            "or without a usable image, are set aside; no image is imputed",
            "cohort",
        ),
    )
    if "learn" not in config.study.stages:
        return
    yield (
        "eligibility",
        Answer(f"{methods.describe_selection(config.cohort)} Diagnoses: {listed(config.study.labels)}", "cohort"),
    )
    yield "partition", Answer(methods.describe_split(config.split))
    yield "partition_level", Answer("subjects; a leak to a generator or a classifier stops the run")
    if content.cohort_flow is not None:
        yield "flow", Answer("scans and subjects after every rule, per study; each scan set aside", "cohort")
    if content.cohort is not None and len(content.cohort):
        yield (
            "characteristics",
            Answer("age, sex, scores, scans and sites per set and diagnosis, where known", "cohort"),
        )
    if content.split_quality is not None and len(content.split_quality):
        yield "set_differences", Answer("p-values of age, sex and site between the sets of the study's split", "cohort")


def _of_models(content: ReportContent) -> Known:
    config = content.config
    assert config is not None
    if "augment" not in config.study.stages:
        return
    technique = models.describe_technique(config)
    yield "technique", Answer(technique)
    yield "models", Answer(f"{technique}; one generator per diagnosis; {models.locate_settings(config)}")
    yield "initialisation", Answer(models.describe_initialisation(config))
    yield "training", Answer(models.describe_training(config))


def _of_judgement(content: ReportContent) -> Known:
    config, judgement = content.config, content.judgement
    if config is None or judgement is None:
        return
    yield "question", Answer(_question(config), "verdict")
    if classifier_methods.networks_of(config):
        searched = (
            "; the searched architecture by its mean over folds of the full training set" * config.judge.is_searched
        )
        yield "selection", Answer(f"the state with the best balanced accuracy on real validation images{searched}")
        yield "imbalance", Answer("every batch is half patients; balanced accuracy is the outcome")
    yield "full_model", Answer(models.locate_weights(config), "provenance")
    yield "ensembles", Answer("none: each classifier is judged alone")
    yield "explanations", Answer("none was made")
    yield "updating", Answer("none: the models are not recalibrated")
    yield "measures", Answer("balanced accuracy; sensitivity, specificity, AUC; calibration", "verdict")
    yield (
        "uncertainty",
        Answer(
            f"{config.judge.confidence:.0%} intervals over seeds and subjects, those of differences corrected for the "
            "number of arms; the rule of the verdict is stated",
            "verdict",
        ),
    )
    control = ", and a control arm with random labels" * ("random-labels" in config.judge.arms)
    yield "robustness", Answer(f"{classifier_methods.count_runs(config)}{control}", "verdict")
    yield "output", Answer(_output(config))
    yield "performance", Answer("every arm with mean, spread over seeds and interval", "verdict")
    yield from _of_test_sets(config, judgement)


def _output(config: RunConfig) -> str:
    is_margin = isinstance(config.classifier, SupportVectorMachineConfig) and "baseline" in config.judge.nets
    score = "a score of being a patient, logistic in the distance from the margin" if is_margin else ""
    return f"{score or 'the probability of being a patient'}; called a patient at 0.5"


def _question(config: RunConfig) -> str:
    study, judge = config.study, config.judge
    return (
        f"whether synthetic scans help to tell {study.labels[1]} from {study.labels[0]}, by balanced accuracy; "
        f"differences below {judge.smallest_effect:g} do not matter"
    )


def _of_test_sets(config: RunConfig, judgement: Judgement) -> Known:
    named = {str(name) for name in judgement.arms["test_set"]}
    if named - {"external"}:
        told = "subjects of the same study whom neither their classifier nor its generators saw"
        yield "internal_test", Answer(f"{told} ({_counted(judgement)})")
    if "external" in named:
        yield "external_test", Answer(f"subjects of {config.study.external_name or 'another study'}", "verdict")
        yield "heterogeneity", Answer("internal and external test sets are reported apart", "verdict")
    if judgement.subgroups is not None and len(judgement.subgroups):
        yield "subgroups", Answer("differences within sex, age band, site and field strength, where known", "subgroups")


def _counted(judgement: Judgement) -> str:
    first = judgement.arms[judgement.arms["test_set"] != "external"].iloc[0]
    return f"{first['n_controls']} controls, {first['n_patients']} patients"


def _of_anything(content: ReportContent) -> Known:
    assert content.config is not None
    yield "limits", Answer("those of the method; the study's own must be added", "limits")
    versions = ", ".join(f"{name} {version}" for name, version in content.run.versions.items())
    yield "software", Answer(versions, "provenance")
    code = f"code: cohortsmith; this run: {content.run.command}"
    yield "availability", Answer(code, "provenance")
    made = models.locate_models(content.config)
    yield "sharing", Answer(f"{code}; models: {made}" if made else code, "provenance")
