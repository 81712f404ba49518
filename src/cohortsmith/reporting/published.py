"""Published figures that a study on the same data is set beside."""

from typing import NamedTuple

from cohortsmith.evaluation.settings import Setting

SOURCE = "Chadebec C. thesis, 2023, tables 1.6 to 1.9 (Chadebec et al. 2023)"


class Published(NamedTuple):
    """Mean balanced accuracies in % on ADNI's and AIBL's test subjects, 20 runs each.

    synthetic, enlarged: the best of 500 to 10 000 synthetic scans per diagnosis, without and with the real ones.
    """

    real: tuple[float, float]
    synthetic: tuple[float, float]
    enlarged: tuple[float, float]


ADNI_AND_AIBL = {
    Setting("train-50", "baseline"): Published((66.3, 67.2), (74.3, 76.5), (74.1, 76.1)),
    Setting("train-full", "baseline"): Published((77.7, 78.4), (86.4, 84.5), (86.3, 85.1)),
    Setting("train-50", "optimised"): Published((75.5, 75.6), (77.6, 81.5), (78.0, 81.9)),
    Setting("train-full", "optimised"): Published((85.5, 81.9), (86.5, 84.7), (87.2, 84.4)),
}
