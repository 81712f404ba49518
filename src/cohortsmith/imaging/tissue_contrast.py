"""How well an aligned scan's brain fills the template's, and how well its tissues are told apart."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.cluster import KMeans

from cohortsmith.imaging.grid import coarsen
from cohortsmith.imaging.template import brain_mask
from cohortsmith.imaging.volume import Volume

_MASK_VOXEL = 2.0  # mm; finer ones change the overlap by less than a hundredth
_NEIGHBOURHOOD = 10.0  # mm around the template's brain in which the scan's brain is looked for
_OPENING = 3.0  # mm: thicker than the dura and the veins that tie the brain to the skull
_SAMPLE = 20_000


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Give Dice's overlap 2 |a and b| / (|a| + |b|), 0 if both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * float((a & b).sum()) / total if total else 0.0


def brain_overlap(aligned: Volume, resolution: float) -> float:
    """Give the Dice overlap of the aligned scan's brain (`find_brain`) with the template's, on voxels of 2 mm."""
    inside = coarsen(brain_mask(resolution), _MASK_VOXEL).data > 0.5
    return dice(find_brain(aligned, resolution).data > 0, inside)


def find_brain(aligned: Volume, resolution: float) -> Volume:
    """Mark the brain of a scan on the crop box as 0 / 1: threshold and morphology, no atlas but a neighbourhood.

    Tissue above Otsu's threshold within 10 mm of the template's brain, eroded by 3 mm, its largest part grown back and
    closed. Scalp close to a misplaced brain may count as brain: it serves to compare scans, not to segment them.
    """
    scan = coarsen(aligned, _MASK_VOXEL)
    near = coarsen(brain_mask(resolution, _NEIGHBOURHOOD), _MASK_VOXEL).data > 0.5
    tissue = near & (scan.data > otsu(scan.data[near]))
    steps = max(1, round(_OPENING / max(_MASK_VOXEL, resolution)))
    core = largest_part(ndimage.binary_erosion(tissue, iterations=steps))
    grown = ndimage.binary_dilation(core, iterations=steps) & tissue
    closed = ndimage.binary_closing(grown, iterations=2 * steps) | grown
    return Volume(ndimage.binary_fill_holes(closed).astype(np.float32), scan.affine)


def otsu(values: NDArray[np.float32]) -> float:
    """Give the threshold that leaves least variance within two classes (Otsu 1979; 256 bins), the maximum if equal."""
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    means = sums[:-1] / np.maximum(below, 1), (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * (means[0] - means[1]) ** 2
    if not between.max() > 0:
        return float(values.max())
    return float(edges[1:-1][between >= between.max() * (1 - 1e-9)].mean())  # the middle of an empty gap


def largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest connected part of a mask; an empty one stays empty."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    return np.asarray(labels == 1 + int(np.argmax(sizes)))


def grey_white_difference(values: NDArray[np.float32]) -> float:
    """Give the difference of the brighter two of three classes (fluid, grey, white) found by k-means in the brain."""
    ordered = np.sort(values)
    sample = ordered[:: max(1, ordered.size // _SAMPLE), None].astype(float)
    start = np.quantile(sample, [1 / 6, 1 / 2, 5 / 6])[:, None]
    if np.unique(start).size < 3:
        return 0.0
    _, grey, white = np.sort(KMeans(3, init=start, n_init=1).fit(sample).cluster_centers_.ravel())
    return float(white - grey)
