"""The methods paragraph of a paper, told from the settings of the run; every citation is a key of `works.WORKS`."""

from collections.abc import Mapping

from cohortsmith.config.cohort import CohortConfig
from cohortsmith.config.generator import RHVAEConfig, VAEConfig
from cohortsmith.config.preparation import PreparationConfig, space_name
from cohortsmith.config.run import RunConfig
from cohortsmith.config.split import SplitConfig
from cohortsmith.reporting.classifier_methods import describe_classifiers
from cohortsmith.reporting.wording import listed

_SOURCES = {
    "adni": "T1-weighted scans were taken from ADNI's own archive",
    "aibl": "T1-weighted scans were taken from AIBL's own archive",
    "oasis1": "T1-weighted scans were taken from OASIS-1",
    "dicom": "T1-weighted series were found in DICOM files and converted by dcm2niix (Li et al. 2016)",
    "bids": "T1-weighted scans were taken from a BIDS dataset",
    "nifti": "T1-weighted scans were taken as NIfTI files",
    "slices": "Slices that were aligned already were taken as they are",
}
_ICBM = "MNI152NLin2009"  # the family of templates that Fonov et al. made
_MODELS = {
    "vae": "a variational autoencoder (Kingma and Welling 2014)",
    "beta_vae": "a beta-VAE (Higgins et al. 2017)",
    "vamp_vae": "a variational autoencoder with a mixture of posteriors as its prior (Tomczak and Welling 2018)",
    "hvae": "a Hamiltonian variational autoencoder (Caterini et al. 2018)",
    "rhvae": "a Riemannian Hamiltonian variational autoencoder (Chadebec et al. 2023)",
    "r_vae": "a variational autoencoder with a Riemannian Brownian-motion prior (Kalatzis et al. 2020)",
}
_SAMPLERS = {
    "hmc": "by Hamiltonian Monte Carlo (Neal 2011; {sampler.n_steps} steps) with density proportional to the square "
    "root of the determinant of the inverse metric (Chadebec et al. 2023)",
    "geometric": "by Hamiltonian Monte Carlo (Neal 2011; {sampler.n_steps} steps) with density proportional to the "
    "square root of the determinant of the metric of the posteriors' covariances (Chadebec and Allassonnière 2022)",
    "random_walk": "by a Riemannian random walk ({sampler.n_steps} steps) on the learned metric (Chadebec and "
    "Allassonnière 2021)",
    "brownian": "by Brownian motion ({sampler.n_steps} steps) under the decoder's pull-back metric (Kalatzis et al. "
    "2020)",
    "prior": "from the standard normal prior",
    "gaussian_mixture": "from a mixture of {sampler.n_components} Gaussians fitted to the training subjects' codes "
    "(Ghosh et al. 2020)",
    "vamp": "from the VAMP prior (Tomczak and Welling 2018)",
}
_LIKENESS = (
    "Synthetic scans were compared with real ones of validation and test subjects: precision and recall (Kynkäänniemi "
    "et al. 2019), density and coverage (Naeem et al. 2020) and the maximum mean discrepancy (Gretton et al. 2012) on "
    "principal components of the training scans, and the multi-scale structural similarity of pairs (Wang et al. 2003)."
)


def describe_methods(config: RunConfig, versions: Mapping[str, str] | None = None) -> str:
    """Write the methods paragraph for the stages that the run goes through; versions: library -> version."""
    told = {
        "ingest": lambda: describe_source(config),
        "prepare": lambda: describe_preparation(config.preparation),
        "learn": lambda: f"{describe_selection(config.cohort)} {describe_split(config.split)}",
        "augment": lambda: describe_generator(config),
        "judge": lambda: f"{describe_classifiers(config)} {_LIKENESS}",
    }
    sentences = [tell() for stage, tell in told.items() if stage in config.study.stages]
    return " ".join([*sentences, *_software(versions or {})])


def describe_source(config: RunConfig) -> str:
    """Say where the scans come from and how they were named."""
    if config.study.simulated:
        return "Scans were simulated and named after the Brain Imaging Data Structure (Gorgolewski et al. 2016)."
    source = _SOURCES[config.study.source]
    return f"{source} and named after the Brain Imaging Data Structure (Gorgolewski et al. 2016)."


def describe_preparation(preparation: PreparationConfig) -> str:
    """Say how scans were brought to the model's grid."""
    if preparation.kind == "slices":
        return "Axial slices that were aligned already were down-sampled and scaled to [0, 1]."
    space = space_name(preparation)
    made_by = " (Fonov et al. 2011)" if space.startswith(_ICBM) else ""
    brain = "brains were extracted (deepbet: Fisch et al. 2024), " if preparation.brain_extraction else ""
    nearest = (
        ", then the one nearest to a dense map by SyN: Avants et al. 2008"
        if preparation.registration.correspondence
        else ""
    )
    face = "defaced by planes in template space, " if preparation.deface else ""
    return (
        f"Scans were corrected for bias fields (N4: Tustison et al. 2010), {brain}registered to the "
        f"{space} template{made_by} by mutual information (ANTs: Avants et al. 2011; "
        f"{preparation.registration.transform}{nearest}), {face}cropped at {preparation.resolution:g} mm, "
        f"down-sampled by {preparation.downsample} and scaled to [0, 1]."
    )


def describe_selection(cohort: CohortConfig) -> str:
    """Say whose scans were used, and which."""
    used = "Each subject's earliest scan was used" if cohort.sessions == "first" else "All scans were used"
    if cohort.stable:
        return f"{used} of subjects whose diagnosis at baseline was the same at every known clinical visit."
    return f"{used} of subjects with one of the diagnoses at baseline."


def describe_split(split: SplitConfig) -> str:
    """Say who was put into which set, and into which fold."""
    text = (
        "Subjects, not scans, were split within each diagnosis: "
        f"{_share(split.test)} to test, {_share(split.validation)} of the others to validate, the rest to train"
    )
    if split.train_on != "full":
        text += f" (of these, {split.train_on} per diagnosis)"
    if split.match:
        text += f"; the most alike in {listed(split.match)} of {split.candidates} random draws was taken"
    return f"{text} (seed {split.seed}).{_folds(split)}"


def describe_generator(config: RunConfig) -> str:
    """Say by which models and samplers synthetic scans were made."""
    training = config.training
    return (
        f"For each diagnosis {_model(config.generator)} was fitted to training subjects only, by Adam (Kingma and Ba "
        f"2015; at most {training.epochs} epochs); {config.sampler.n_samples} synthetic scans per diagnosis were "
        f"decoded from latent points drawn {_SAMPLERS[config.sampler.kind].format(sampler=config.sampler)}."
    )


def name_model(generator: VAEConfig) -> str:
    """Name the kind of generator with its citation."""
    return _MODELS[generator.kind]


def _model(generator: VAEConfig) -> str:
    told = f"{name_model(generator)} with latent dimension {generator.latent_dim}"
    if isinstance(generator, RHVAEConfig):
        told += (
            f", {generator.n_leapfrog} leapfrog steps, temperature {generator.temperature:g} and regularization "
            f"{generator.regularization:g}"
        )
    return told


def _folds(split: SplitConfig) -> str:
    if not split.folds:
        return ""
    whose = "All subjects" if split.fold_subjects == "all" else "Training subjects"
    often = "" if split.repeats == 1 else f", {split.repeats} times"
    return f" {whose} were also dealt into {split.folds} folds, balanced in diagnosis, for cross-validation{often}."


def _share(size: float) -> str:
    return f"{size:g} per diagnosis" if size >= 1 else f"{size:.0%}"


def _software(versions: Mapping[str, str]) -> list[str]:
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return [f"Software: {named}."] * bool(named)
