"""What was trained and how, and where its settings are kept, in the short words of a checklist's answer."""

from cohortsmith.config.classifier import NeuralNetworkConfig
from cohortsmith.config.judge import Net
from cohortsmith.config.random_search import RandomSearchConfig
from cohortsmith.config.run import RunConfig
from cohortsmith.reporting.classifier_methods import kept_arms, name_judge, name_kept_arms, networks_of
from cohortsmith.reporting.methods import name_model
from cohortsmith.reporting.wording import listed


def describe_technique(config: RunConfig) -> str:
    """Name the generators, and the classifiers where any judged them."""
    return name_model(config.generator) + (f"; judged by {name_judges(config)}" if _is_judged(config) else "")


def locate_settings(config: RunConfig) -> str:
    """Say where every setting of the models stands."""
    told = "settings of generators in the model cards"
    if not _is_judged(config):
        return told
    searched = ", of the network that was searched for with the verdict" * config.judge.is_searched
    return (
        f"{told}, of classifiers in the configuration, which MLflow's run of this study holds as parameters{searched}"
    )


def locate_weights(config: RunConfig) -> str:
    """Say which classifiers' weights are kept, if any, and that the generators' are."""
    generators = "of the generators the weights are, as safetensors with a model card per diagnosis"
    if not kept_arms(config):
        return (
            "not given: the weights of the classifiers, which predict, are not kept, their settings, seeds and "
            f"predictions are; {generators}"
        )
    fitted = "; what scikit-learn fitted is not kept" * any(net not in networks_of(config) for net in config.judge.nets)
    return (
        f"weights of the networks of {name_kept_arms(config)} are kept in the study's folder, as safetensors with a "
        f"model card; the software makes none public{fitted}; settings, seeds and predictions of all classifiers are "
        f"kept; {generators}"
    )


def locate_models(config: RunConfig) -> str:
    """Say which models there are to be shared; nothing where none was made."""
    if "augment" not in config.study.stages:
        return ""
    networks = f" and the networks of {name_kept_arms(config)}" * (_is_judged(config) and bool(kept_arms(config)))
    return f"the generators{networks}, in the study's folder with their model cards; the software makes none public"


def name_judges(config: RunConfig) -> str:
    """Name the kinds of classifiers that judged."""
    order: tuple[Net, ...] = ("baseline", "optimised")
    return listed([name_judge(config, net) for net in order if net in config.judge.nets])


def describe_initialisation(config: RunConfig) -> str:
    """Say how weights were drawn, and from which seeds."""
    told = (
        f"generators: at random, U(-b, b) with b = 1 / sqrt(fan in), the decoder's last layer around the mean training "
        f"image, from seed {config.seed}"
    )
    if not _is_judged(config):
        return told
    first, folds = config.judge.first_seed, config.split.repeats if config.split.folds else 0
    last = first + max(config.judge.n_seeds, folds) - 1
    seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
    law = "at random by the same law, " if networks_of(config) else ""
    return f"{told}; classifiers: {law}from {seeds}, the same in every arm"


def describe_training(config: RunConfig) -> str:
    """Say how generators and networks were trained."""
    training = config.training
    generators = (
        f"generators: Adam, learning rate {training.learning_rate:g}, batches of {training.batch_size}, at most "
        f"{training.epochs} epochs, {training.warm_up_epochs} of them warm-up"
    )
    if not _is_judged(config):
        return generators
    networks = [
        f"; {net} classifiers: Adam, {_rates(stated)}, batches of {stated.batch_size}, {stated.optimizer_steps} steps "
        "in every arm"
        for net, stated in networks_of(config).items()
    ]
    return "".join([generators, *networks])


def _rates(stated: NeuralNetworkConfig | RandomSearchConfig) -> str:
    if isinstance(stated, RandomSearchConfig):
        return "learning rate and weight decay as the search drew them"
    return f"learning rate {stated.learning_rate:g}, weight decay {stated.weight_decay:g}"


def _is_judged(config: RunConfig) -> bool:
    return "judge" in config.study.stages
