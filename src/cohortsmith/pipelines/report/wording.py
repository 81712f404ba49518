"""The fixed words of the report: methods, limits, citation."""

from collections.abc import Mapping

from cohortsmith.config.study import StudyConfig

NOT_JUDGED = "This study's configuration stops before classifiers are trained (study.stages)."

CITATION = (
    "Chadebec C, Thibeau-Sutre E, Burgos N, Allassonnière S. Data augmentation in high dimensional low sample size "
    "setting using a geometry-based variational autoencoder. IEEE TPAMI 2022. doi:10.1109/TPAMI.2022.3185773. "
    "N4: Tustison et al. 2010; registration: Avants et al. 2014; template: Fonov et al. 2009; "
    "standard: Gorgolewski et al. 2016 (BIDS)."
)

LIMITS = (
    "Research software: not a medical device, and no basis for a diagnosis.",
    "A few tens of test subjects leave wide intervals; a difference that they cannot show may still exist.",
    "Synthetic scans can carry traces of training subjects. The screen for copies does not prove anonymity: treat "
    "them like the scans they were made from until your data-protection officer has decided otherwise.",
    "A classifier trained on scans of one generator per diagnosis can learn the generators' signatures instead of the "
    "disease; it is therefore validated and tested on real scans only.",
)


def describe_methods(study: StudyConfig, versions: Mapping[str, str]) -> str:
    """Write the methods paragraph of a paper, with the versions that ran."""
    prepared = (
        "Two-dimensional slices that were aligned already were down-sampled and scaled to [0, 1]."
        if study.source == "slices"
        else f"Scans were converted to BIDS, corrected for bias fields (N4) and registered to MNI152 by a rigid and an "
        f"affine transform (antspyx {versions['antspyx']}), cropped, down-sampled and scaled to [0, 1]."
    )
    return (
        f"{prepared} One Riemannian Hamiltonian variational autoencoder was trained per diagnosis on training subjects "
        f"only (PyTorch {versions['torch']}), and new scans were decoded from points drawn by Hamiltonian Monte Carlo "
        "with density proportional to the square root of det G^-1 on its compact support. Classifiers of every arm "
        "took the same number of optimiser steps and were kept at their best balanced accuracy on real validation "
        f"scans. All steps were run by cohortsmith {versions['cohortsmith']}."
    )
