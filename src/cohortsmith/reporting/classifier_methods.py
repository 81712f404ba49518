"""Which classifiers judged and what they saw, in words; every citation is a key of `works.WORKS`."""

from cohortsmith.config.classifier import ClassifierConfig, NeuralNetworkConfig
from cohortsmith.config.judge import MIXED, JudgeConfig, Net
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.config.run import RunConfig
from cohortsmith.reporting.wording import listed

_CLASSIFIERS = {
    "conv5_fc3": "Convolutional networks of five blocks and three dense layers (Wen et al. 2020)",
    "conv5_fc3_down": "Convolutional networks of five blocks and three dense layers, for down-sampled scans (Chadebec "
    "et al. 2023)",
    "optimized": "Convolutional networks as a random search (Bergstra and Bengio 2012) had chosen them (Chadebec et "
    "al. 2023)",
    "cnn_2d": "Two-dimensional convolutional networks",
    "custom": "Convolutional networks",
    "mlp": "Multi-layer perceptrons",
    "densenet": "Densely connected networks (Huang et al. 2017)",
    "random_forest": "Random forests (Breiman 2001) of scikit-learn (Pedregosa et al. 2011)",
    "k_nearest_neighbours": "Nearest-neighbour classifiers (Cover and Hart 1967) of scikit-learn (Pedregosa et al. "
    "2011)",
    "support_vector_machine": "Support vector machines (Cortes and Vapnik 1995) of scikit-learn (Pedregosa et al. "
    "2011)",
    "sklearn_mlp": "Multi-layer perceptrons (Rumelhart et al. 1986) of scikit-learn (Pedregosa et al. 2011)",
}
_MIXTURES = {
    "half": "half of every batch was drawn from the real scans and half from the others, whatever their number",
    "concatenated": "every batch was drawn from real scans and others put together",
}
_OVERSAMPLED = (
    " Batches of real+oversampling have the same distribution as those of real scans alone, up to copies that do not "
    "come out even: that arm shows what other random draws alone change."
)


def describe_classifiers(config: RunConfig) -> str:
    """Say which classifiers judged, on which arms, what they saw, and how their final state was chosen."""
    judge, classifier = config.judge, config.classifier
    return (
        f"{_CLASSIFIERS[classifier.kind]} were trained with {count_runs(config)} ({', '.join(judge.arms)})"
        f"{_steps(config)}, at most {listed(judge.doses)} synthetic scans per diagnosis{_drawn(judge)}; "
        f"{_final(classifier)} tested on real images.{_seen(config)}{_optimised(config)}{_training_sets(config)} "
        f"{_quarantine(judge)}"
    )


def networks_of(config: RunConfig) -> dict[Net, NeuralNetworkConfig | RandomSearchConfig]:
    """Give what states batches and steps of every kind of network that judged, the search for one to be searched."""
    own: dict[Net, ClassifierConfig | RandomSearchConfig] = {
        "baseline": config.classifier,
        "optimised": config.judge.optimised or config.random_search,
    }
    return {
        net: stated
        for net, stated in own.items()
        if net in config.judge.nets and isinstance(stated, NeuralNetworkConfig | RandomSearchConfig)
    }


def name_classifier(classifier: ClassifierConfig) -> str:
    """Name the kind of classifiers with their citation."""
    name = _CLASSIFIERS[classifier.kind]
    return name[0].lower() + name[1:]


def name_judge(config: RunConfig, net: Net) -> str:
    """Name what one of the two kinds of network is."""
    chosen = config.judge.optimised if net == "optimised" else config.classifier
    return name_classifier(chosen) if chosen else "the winner of a random search"


def kept_arms(config: RunConfig) -> list[str]:
    """Name the arms whose networks' weights are kept; none where no classifier is a network."""
    if not networks_of(config):
        return []
    return [named.name for named in config.judge.kept_arms]


def name_kept_arms(config: RunConfig) -> str:
    """Word `kept_arms`."""
    return "every arm" if config.judge.keep_weights == "all" else f"the arm {listed(kept_arms(config))} alone"


def count_runs(config: RunConfig) -> str:
    """Say how often every arm was trained."""
    folds = f" and in {config.split.repeats} repeats of {config.split.folds} folds" if config.split.folds else ""
    return f"{config.judge.n_seeds} seeds{folds} per arm"


def count_steps(config: RunConfig) -> str:
    """Say how many steps each network took, the same in every arm; nothing for classifiers without steps."""
    if not isinstance(config.classifier, NeuralNetworkConfig):
        return ""
    steps = str(config.classifier.optimizer_steps)
    other = networks_of(config).get("optimised")
    return f"{steps} (optimised: {other.optimizer_steps})" if other else steps


def _steps(config: RunConfig) -> str:
    steps = count_steps(config)
    return f", {steps} steps of Adam (Kingma and Ba 2015) each" if steps else ""


def _seen(config: RunConfig) -> str:
    if not networks_of(config):
        return " They were fitted once to all scans of an arm, real and added ones put together."
    mixed = [arm for arm in config.judge.arms if arm in MIXED]
    shares = f" In {listed(mixed)} {_MIXTURES[config.judge.mixture]}." * bool(mixed)
    return (
        " Every batch of a network was half controls and half patients, drawn with replacement, and all arms took the "
        f"same number of steps.{shares}{_OVERSAMPLED * ('real+oversampling' in mixed)}"
    )


def _optimised(config: RunConfig) -> str:
    if "optimised" not in config.judge.nets:
        return ""
    if config.judge.optimised is not None:
        return f" The optimised classifiers were {name_classifier(config.judge.optimised)}."
    search = config.random_search
    return (
        f" The optimised network is the best of {search.n_architectures} architectures of a random search (Bergstra "
        f"and Bengio 2012), by {search.n_folds}-fold cross-validation on the full training set."
    )


def _training_sets(config: RunConfig) -> str:
    sets = config.judge.training_sets
    return f" All this was done with training sets of {listed(sets)} subjects per diagnosis." if len(sets) > 1 else ""


def _final(classifier: ClassifierConfig) -> str:
    if not isinstance(classifier, NeuralNetworkConfig):
        return "they were"
    return "the state with the best balanced accuracy on real validation images was"


def _drawn(judge: JudgeConfig) -> str:
    return ", drawn anew for every seed" if judge.has_own_draws else ""


def _quarantine(judge: JudgeConfig) -> str:
    done = "left out of" if judge.quarantine == "exclude" else "kept in"
    return f"Synthetic scans that the screen for copies flags were {done} the classifiers' training."
