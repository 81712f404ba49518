"""The standing texts of the report: what it is about, and what it cannot show; and how lists are worded."""

from collections.abc import Sequence

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

ONE_TRAINING = (
    "The generators of a training set were trained once; another training on the same subjects may do otherwise. Only "
    "cross-validation trains them anew, for every fold of every repeat."
)
ONE_DRAW = (
    "All runs of an arm saw the same draw of synthetic scans, which the intervals do not cover: another draw from the "
    "same generators moves the scores of the arms that use them. `judge.draws: per_seed` gives every run its own."
)


def listed(items: Sequence[object]) -> str:
    """Word a list: a, b and c."""
    words = [str(item) for item in items]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
