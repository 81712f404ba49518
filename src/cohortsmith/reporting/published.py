"""Published figures that a study on the same data is set beside."""

from typing import Literal, NamedTuple

from cohortsmith.config.classifier import ClassifierConfig
from cohortsmith.config.judge import Net
from cohortsmith.config.preparation import PreparationConfig

SOURCE = "Chadebec C. thesis, 2023, tables 1.6 to 1.9 (Chadebec et al. 2023)"
FULL, HALF = "169 x 208 x 179", "84 x 104 x 89"

Figure = tuple[float, float]
"""Mean and standard deviation of the balanced accuracy in %, 20 runs."""
Pair = tuple[Figure, Figure]
"""On ADNI's and on AIBL's test subjects."""


class PublishedNetwork(NamedTuple):
    """One of the four networks of the source: which of the two, and the voxels of the images that it sees."""

    net: Net
    grid: str


class Published(NamedTuple):
    """What was published of one network and training set.

    synthetic, enlarged: the best of 500 to 10 000 synthetic scans per diagnosis, without and with the real ones, by the
    mean of each test set; None where synthetic scans were not tried.
    """

    real: Pair
    synthetic: Pair | None = None
    enlarged: Pair | None = None


_BASELINE, _OPTIMISED = PublishedNetwork("baseline", HALF), PublishedNetwork("optimised", HALF)
_BASELINE_FULL, _OPTIMISED_FULL = PublishedNetwork("baseline", FULL), PublishedNetwork("optimised", FULL)

TrainingSet = Literal["train-50", "train-full"]
ADNI_AND_AIBL: dict[PublishedNetwork, dict[TrainingSet, Published]] = {
    _BASELINE: {
        "train-50": Published(((66.3, 2.4), (67.2, 4.1)), ((74.3, 1.9), (76.5, 2.9)), ((74.1, 2.2), (76.1, 3.6))),
        "train-full": Published(((77.7, 2.5), (78.4, 2.4)), ((86.4, 1.8), (84.5, 1.8)), ((86.3, 1.8), (85.1, 1.9))),
    },
    _OPTIMISED: {
        "train-50": Published(((75.5, 2.7), (75.6, 4.1)), ((77.6, 3.7), (81.5, 2.6)), ((78.0, 2.1), (81.9, 2.2))),
        "train-full": Published(((85.5, 2.4), (81.9, 3.2)), ((86.5, 1.7), (84.7, 2.3)), ((87.2, 1.7), (84.3, 1.8))),
    },
    _BASELINE_FULL: {
        "train-50": Published(((67.9, 2.3), (66.5, 3.0))),
        "train-full": Published(((80.6, 1.1), (80.4, 2.6))),
    },
    _OPTIMISED_FULL: {
        "train-50": Published(((72.1, 3.1), (71.2, 5.1))),
        "train-full": Published(((85.7, 2.5), (84.4, 1.7))),
    },
}

_GRIDS = {(1.0, 1): FULL, (1.0, 2): HALF}  # mm of the cropped grid, factor of the down-sampling after it
# The optimised network of full-size images is printed nowhere.
_KINDS = {
    ("conv5_fc3", FULL): _BASELINE_FULL,
    ("conv5_fc3_down", HALF): _BASELINE,
    ("optimized", HALF): _OPTIMISED,
}


def published_network(classifier: ClassifierConfig, preparation: PreparationConfig) -> PublishedNetwork | None:
    """Find the published network that a classifier is, on images of this preparation; None: it is another one."""
    return _KINDS.get((classifier.kind, _grid(preparation)))


def published_search(preparation: PreparationConfig) -> PublishedNetwork | None:
    """Find the winner of the published search on images of this grid."""
    grid = _grid(preparation)
    return PublishedNetwork("optimised", grid) if grid else None


def _grid(preparation: PreparationConfig) -> str:
    if preparation.kind != "volume" or preparation.shape is not None:
        return ""
    return _GRIDS.get((preparation.resolution, preparation.downsample), "")
