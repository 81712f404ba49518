"""The standing texts of the report: what it cannot show, whom to cite, and the methods in one paragraph."""

from cohortsmith.config.cohort import CohortConfig
from cohortsmith.config.generator import RHVAEConfig, VAEConfig
from cohortsmith.config.preparation import PreparationConfig
from cohortsmith.config.run import RunConfig

PHANTOM_BANNER = "Embedded phantom study: every scan is simulated. The numbers below say nothing about patients."

LIMITS = (
    "Research software: it is no medical device, and no number here may guide the care of a person.",
    "Diagnoses are taken from the study's own table as they are; errors in them pass unseen.",
    "The screen for copies and the attacks on membership compare distances. Passing them is no proof of privacy or of "
    "anonymity. Blurred copies escape the comparison of images; reconstructions are compared for that reason.",
    "Intervals cover the choice of seeds and of test subjects of this cohort, not of another hospital, scanner or era. "
    "Those of a single split hold for this training cohort: generators learned from other subjects may do otherwise.",
    "Looking at many arms on one test set makes a winner by chance: read the differences with their intervals, "
    "which are widened for the number of arms, and not the largest mean.",
    "Synthetic scans repeat the biases of the subjects they were learned from; groups rare there are rare here.",
)

# Listed in a report whose methods paragraph names their first author.
_RHVAE = (
    "Chadebec C, Thibeau-Sutre E, Burgos N, Allassonnière S. Data augmentation in high dimensional low sample size "
    "setting using a geometry-based variational autoencoder. IEEE Trans Pattern Anal Mach Intell 45(3), 2023. "
    "doi:10.1109/TPAMI.2022.3185773"
)
_VAE = "Kingma DP, Welling M. Auto-encoding variational Bayes. ICLR 2014."
_BETA = "Higgins I et al. beta-VAE: learning basic visual concepts with a constrained variational framework. ICLR 2017."
_VAMP = "Tomczak JM, Welling M. VAE with a VampPrior. AISTATS 2018."
_HVAE = "Caterini AL, Doucet A, Sejdinovic D. Hamiltonian variational auto-encoder. NeurIPS 2018."
_R_VAE = (
    "Kalatzis D, Eklund D, Arvanitidis G, Hauberg S. Variational autoencoders with Riemannian Brownian motion priors. "
    "ICML 2020."
)
_MODEL_NAMES = {
    "vae": "a variational autoencoder (Kingma and Welling 2014)",
    "beta_vae": "a beta-VAE (Higgins et al. 2017)",
    "vamp_vae": "a variational autoencoder with a mixture of posteriors as its prior (Tomczak and Welling 2018)",
    "hvae": "a Hamiltonian variational autoencoder (Caterini et al. 2018)",
    "rhvae": "a Riemannian Hamiltonian variational autoencoder (Chadebec et al. 2023)",
    "r_vae": "a variational autoencoder with a Riemannian Brownian-motion prior (Kalatzis et al. 2020)",
}
_OVERLAP = (
    "Kynkäänniemi T, Karras T, Laine S, Lehtinen J, Aila T. Improved precision and recall metric for assessing "
    "generative models. NeurIPS 2019."
)
_COVERAGE = (
    "Naeem MF, Oh SJ, Uh Y, Choi Y, Yoo J. Reliable fidelity and diversity metrics for generative models. ICML 2020."
)
_DISCREPANCY = "Gretton A et al. A kernel two-sample test. J Mach Learn Res 13, 2012."
_SIMILARITY = "Wang Z, Simoncelli EP, Bovik AC. Multiscale structural similarity for image quality assessment. 2003."
_N4 = "Tustison NJ et al. N4ITK: improved N3 bias correction. IEEE Trans Med Imaging 29(6), 2010."
_TEMPLATE = "Fonov V et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage 54(1), 2011."
_COMPARED_BY = (_OVERLAP, _COVERAGE, _DISCREPANCY, _SIMILARITY)


def works_cited(methods: str) -> list[str]:
    """Give the full reference of every work that the methods paragraph names."""
    works = (_VAE, _BETA, _VAMP, _HVAE, _RHVAE, _R_VAE, _N4, _TEMPLATE, *_COMPARED_BY)
    return [work for work in works if work.split(maxsplit=1)[0] in methods]


def describe_methods(config: RunConfig) -> str:
    """Write the methods paragraph of a paper from the settings of the run, for the stages that it goes through."""
    told = {
        "prepare": lambda: _preparation(config.preparation),
        "learn": lambda: _split(config),
        "augment": lambda: _generator(config),
        "judge": lambda: _classifiers(config),
    }
    return " ".join(tell() for stage, tell in told.items() if stage in config.study.stages)


def _preparation(preparation: PreparationConfig) -> str:
    if preparation.kind == "slices":
        return "Axial slices that were aligned already were down-sampled and scaled to [0, 1]."
    return (
        "T1-weighted scans were corrected for bias fields (N4: Tustison et al. 2010), registered to the "
        "MNI152NLin2009aSym template (Fonov et al. 2011) by mutual information "
        f"({preparation.registration.transform}), cropped at {preparation.resolution:g} mm, "
        f"down-sampled by {preparation.downsample} and scaled to [0, 1]."
    )


def _split(config: RunConfig) -> str:
    split = config.split
    text = (
        "Subjects, not scans, were split within each diagnosis: "
        f"{_share(split.test)} to test, {_share(split.validation)} of the others to validate, the rest to train"
    )
    if split.train_on != "full":
        text += f" (of these, {split.train_on} per diagnosis)"
    if split.match:
        text += f"; the most alike in {' and '.join(split.match)} of {split.candidates} random draws was taken"
    return f"{_selection(config.cohort)} {text} (seed {split.seed})."


def _selection(cohort: CohortConfig) -> str:
    used = "Each subject's earliest scan was used" if cohort.sessions == "first" else "All scans were used"
    if cohort.stable:
        return f"{used} of subjects whose diagnosis at baseline was the same at every known clinical visit."
    return f"{used} of subjects with one of the diagnoses at baseline."


def _share(size: float) -> str:
    return f"{size:g} per diagnosis" if size >= 1 else f"{size:.0%}"


_SAMPLERS = {
    "hmc": "by Hamiltonian Monte Carlo ({sampler.n_steps} steps) with density proportional to the square root of the "
    "determinant of the inverse metric",
    "geometric": "by Hamiltonian Monte Carlo ({sampler.n_steps} steps) with density proportional to the square root of "
    "the determinant of the metric of the posteriors' covariances",
    "random_walk": "by a Riemannian random walk ({sampler.n_steps} steps) on the learned metric",
    "brownian": "by Brownian motion ({sampler.n_steps} steps) under the decoder's pull-back metric",
    "prior": "from the standard normal prior",
    "gaussian_mixture": "from a mixture of {sampler.n_components} Gaussians fitted to the training subjects' codes",
    "vamp": "from the VAMP prior",
}


def _generator(config: RunConfig) -> str:
    return (
        f"For each diagnosis {_model(config.generator)} was fitted to training subjects only; "
        f"{config.sampler.n_samples} synthetic scans per diagnosis were decoded from latent points "
        f"drawn {_SAMPLERS[config.sampler.kind].format(sampler=config.sampler)}."
    )


def _model(generator: VAEConfig) -> str:
    told = f"{_MODEL_NAMES[generator.kind]} with latent dimension {generator.latent_dim}"
    if isinstance(generator, RHVAEConfig):
        told += (
            f", {generator.n_leapfrog} leapfrog steps, temperature {generator.temperature:g} and regularization "
            f"{generator.regularization:g}"
        )
    return told


def _classifiers(config: RunConfig) -> str:
    return (
        f"Convolutional networks were trained with {config.judge.n_seeds} seeds per arm "
        f"({', '.join(config.judge.arms)}), {config.classifier.optimizer_steps} optimizer steps each, at most "
        f"{config.judge.n_synthetic} synthetic scans per diagnosis; the state with the best balanced accuracy on real "
        f"validation images was tested on real images. {_quarantine(config)} Synthetic scans were compared with real "
        "ones of validation and test subjects: precision and recall (Kynkäänniemi et al. 2019), density and coverage "
        "(Naeem et al. 2020) and the maximum mean discrepancy (Gretton et al. 2012) on principal components of the "
        "training scans, and the multi-scale structural similarity of pairs (Wang et al. 2003)."
    )


def _quarantine(config: RunConfig) -> str:
    done = "left out of" if config.judge.quarantine == "exclude" else "kept in"
    return f"Synthetic scans that the screen for copies flags were {done} the classifiers' training."
