"""Quality of the six real scans of ds002748, or of the files named, prepared with the settings of conf/adni.

`python -m benchmarks.real_scans [--pictures FOLDER] [FILE ...]` looks for data/ds002748 in the folder
COHORTSMITH_SHARED, or in shared/ beside the repository.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from benchmarks.preparation import read, real_scans
from benchmarks.registration_proof import settings
from cohortsmith.imaging.intensity import min_max
from cohortsmith.imaging.preparation import prepare_scan
from cohortsmith.imaging.template import brain_mask
from cohortsmith.imaging.volume import Volume

matplotlib.use("Agg")
from matplotlib import pyplot as plt

SHOWN = (
    *("template_correlation", "brain_dice", "signal_to_noise", "contrast_to_noise", "outside_view"),
    *("scale", "shear", "rotation_degrees", "bias_range"),
)


def draw(aligned: Volume, title: str, path: Path) -> None:
    """Draw three planes of each axis with the outline of the template's brain."""
    outline = brain_mask(1.0).data
    figure, axes = plt.subplots(3, 3, figsize=(9, 9))
    for row, axis in zip(axes, range(3), strict=True):
        for place, panel in zip((0.35, 0.5, 0.65), row, strict=True):
            index = int(place * outline.shape[axis])
            scan, edge = (np.take(data, index, axis).T for data in (min_max(aligned.data), outline))
            panel.imshow(scan, cmap="gray", origin="lower", vmax=np.quantile(scan, 0.995))
            panel.contour(edge, [0.5], colors="red", linewidths=0.7)
            panel.set_axis_off()
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.real_scans", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="NIfTI files to look at instead")
    parser.add_argument("--pictures", type=Path, help="folder for one picture per scan")
    arguments = parser.parse_args()
    rows = {}
    for path in arguments.files or real_scans():
        name, prepared = path.name.split(".")[0].split("_")[0], prepare_scan(read(path), settings())
        rows[name] = {number: round(prepared.quality[number], 3) for number in SHOWN}
        if arguments.pictures:
            draw(prepared.registered, name, arguments.pictures / f"{name}.png")
        print(name, rows[name], flush=True)
    print(pd.DataFrame(rows).T.to_string())


if __name__ == "__main__":
    main()
