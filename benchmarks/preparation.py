"""Preparing one scan: CPU time and quality beside the recipe of t1-linear through antspyx, time per step, two workers.

The recipe is N4 with `--bspline-fitting [600]` and the rigid and affine stages of antsRegistrationSyNQuick.sh at 1 mm,
as Clinica's t1-linear runs them, on the same scan and the same template. Ours has the settings of conf/adni.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import nibabel as nib
import numpy as np
from nilearn.datasets import load_mni152_template

from benchmarks.outcome import QUICK, Effort, Outcome
from benchmarks.registration_proof import settings
from cohortsmith.config.study import PhantomConfig
from cohortsmith.imaging.ants_door import from_ants, load_ants, matrix_from_itk, to_ants
from cohortsmith.imaging.grid import Grid, resample
from cohortsmith.imaging.intensity import winsorise
from cohortsmith.imaging.phantom import make_scan
from cohortsmith.imaging.phantom.anatomy import draw_anatomy
from cohortsmith.imaging.phantom.cohort import draw_cohort
from cohortsmith.imaging.phantom.trials import Trial, measure_miss, nearest_affine
from cohortsmith.imaging.preparation import prepare_scan
from cohortsmith.imaging.quality import measure_alignment, template_correlation
from cohortsmith.imaging.template import crop_grid, template
from cohortsmith.imaging.volume import Volume

SUBJECTS = (1, 2, 3)
SECONDS = 20.0  # wanted per scan and core
BUSY = 0.9  # share of the time below which others had the cores


class Done(NamedTuple):
    """What a recipe gave: the scan on the crop grid, the matrix scan -> template, CPU seconds per step."""

    aligned: Volume
    transform: np.ndarray
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


class Throughput(NamedTuple):
    """Scans per second of all workers, and the share of the time that they really computed."""

    rate: float
    busy: float


def run(effort: Effort) -> Iterator[Outcome]:
    load_ants()
    measure_alignment(template(1.0), 1.0)  # what a worker computes once for all its scans
    trials = [phantom(subject) for subject in SUBJECTS[: 1 if effort == QUICK else None]]
    done = [(prepare(trial.volume), reference(trial.volume)) for trial in trials]
    for subject, (ours, theirs) in zip(SUBJECTS, done, strict=False):
        yield from _compared(f"phantom_{subject}", ours, theirs)
    yield _landmarks(trials, done)
    yield _speed(trials[0].volume, done[0][0])
    if effort == QUICK:
        return
    yield _workers(trials[0].volume)
    for path in real_scans()[:1]:
        scan = read(path)
        yield from _compared("real", prepare(scan), reference(scan))


def real_scans() -> list[Path]:
    """Find the scans of ds002748 in the folder of shared data; none if it is not here."""
    shared = Path(os.environ.get("COHORTSMITH_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    return sorted(shared.glob("data/ds002748/sub-*/anat/*_T1w.nii.gz"))


def phantom(subject: int) -> Trial:
    """Give a whole head at 1 mm as the phantom study's 3 T scanners deliver it, and where its brain belongs."""
    config = PhantomConfig(voxel_size=1.0)
    scan = make_scan(config, "training", subject)
    anatomy = draw_anatomy(config, "training", subject, draw_cohort(config, "training").iloc[subject])
    truth, brain = nearest_affine(anatomy, scan.volume)
    return Trial(scan.volume, truth, brain, 3.0, True, "whole", False, False)


def prepare(scan: Volume) -> Done:
    """Prepare a scan; its steps, timed by the clock on the wall, are timed by the processor's."""
    began = time.process_time()
    with mock.patch.object(time, "perf_counter", time.process_time):
        prepared = prepare_scan(scan, settings())
    rest = time.process_time() - began - sum(prepared.seconds.values())
    return Done(prepared.registered, prepared.transform, prepared.seconds | {"quality and scaling": rest})


def reference(scan: Volume) -> Done:
    """Correct, register, resample and crop as t1-linear does; the template's box begins and ends on its voxels."""
    ants, image = load_ants(), load_mni152_template(resolution=1)
    fixed = to_ants(Volume(np.asarray(image.dataobj, dtype=np.float32), image.affine))
    clock = [time.process_time()]
    corrected = ants.n4_bias_field_correction(
        to_ants(scan), shrink_factor=4, convergence={"iters": [50] * 4, "tol": 0.0}, spline_param=600
    )
    clock.append(time.process_time())
    with tempfile.TemporaryDirectory() as folder:
        end = _syn_quick_affine(fixed, Volume(winsorise(corrected.numpy()), scan.affine), Path(folder))
        clock.append(time.process_time())
        warped = ants.apply_transforms(fixed, corrected, [str(end)], interpolator="linear")
        found = ants.read_transform(str(end), precision="double")
    whole = from_ants(warped, Grid(image.shape, image.affine))
    aligned = resample(whole, np.eye(4), crop_grid(1.0))
    clock.append(time.process_time())
    seconds = dict(zip(("bias_field", "registration", "resampling"), np.diff(clock).tolist(), strict=True))
    inverse = matrix_from_itk(np.array(found.parameters), np.array(found.fixed_parameters))
    return Done(aligned, np.linalg.inv(inverse), seconds)


def _syn_quick_affine(fixed: Any, moving: Volume, folder: Path) -> Path:
    """Run the stages of `antsRegistrationSyNQuick.sh -t a -p d -r 32`; the moving image is winsorised already."""
    ants = load_ants()
    pair = fixed.clone("double"), to_ants(moving).clone("double")
    images = ",".join(ants.internal.get_pointer_string(one) for one in pair)
    arguments = ["--dimensionality", "3", "--float", "0", "--random-seed", "345"]
    arguments += ["--initial-moving-transform", f"[{images},1]"]
    arguments += ["--output", str(folder / "end"), "--collapse-output-transforms", "1"]
    for stage in ("Rigid", "Affine"):
        arguments += ["--transform", f"{stage}[0.1]", "--metric", f"MI[{images},1,32,Regular,0.25]"]
        arguments += ["--convergence", "[1000x500x250x0,1e-6,10]", "--shrink-factors", "8x4x2x1"]
        arguments += ["--smoothing-sigmas", "3x2x1x0vox"]
    ants.registration(arguments, None)
    return folder / "end0GenericAffine.mat"


def _compared(name: str, ours: Done, theirs: Done) -> Iterator[Outcome]:
    steps = {f"recipe's {step}": f"{seconds:.1f} s" for step, seconds in theirs.seconds.items()}
    total = {"ours": f"{ours.total:.1f} s", "recipe": f"{theirs.total:.1f} s"}
    yield Outcome(f"preparation_cpu_{name}", theirs.total / ours.total, 3, total | steps)
    likeness = [template_correlation(done.aligned, 1.0) for done in (ours, theirs)]
    figures = {who: f"{value:.4f}" for who, value in zip(("ours", "recipe"), likeness, strict=True)}
    yield Outcome(f"preparation_correlation_{name}", likeness[0] / likeness[1], 0.99, figures)


def _landmarks(trials: list[Trial], done: list[tuple[Done, Done]]) -> Outcome:
    """Compare the mean landmark errors over all heads."""
    misses = [
        [measure_miss(one.transform, trial) for trial, one in zip(trials, by_one, strict=True)]
        for by_one in zip(*done, strict=True)
    ]
    figures = {
        who: "; ".join(f"{miss.mean:.2f} ({miss.most:.2f}) mm, {miss.degrees:.2f} degrees" for miss in own)
        for who, own in zip(("ours", "recipe"), misses, strict=True)
    }
    ours, recipe = (float(np.mean([miss.mean for miss in own])) for own in misses)
    return Outcome("preparation_landmarks_phantom", recipe / ours, 0.99, figures)


def _speed(scan: Volume, ours: Done) -> Outcome:
    steps = {step: f"{seconds:.1f} s" for step, seconds in ours.seconds.items()}
    floor = {"floor: read, divide and interpolate once": f"{_floor(scan):.1f} s"}
    return Outcome("preparation_scans_per_core_hour", 3600 / ours.total, 3600 / SECONDS, steps | floor)


def _floor(scan: Volume) -> float:
    """Time what no recipe can do without: a file read, a division, one interpolation onto the paper's grid."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nii.gz"
        nib.save(nib.Nifti1Image(scan.data, scan.affine), path)
        began = time.process_time()
        resample(Volume(read(path).data / np.float32(1.01), scan.affine), np.eye(4), crop_grid(1.0))
        return time.process_time() - began


def _workers(scan: Volume) -> Outcome:
    """Prepare four scans by one process and by two; seconds by the clock on the wall."""
    alone, both = (_throughput(scan, workers) for workers in (1, 2))
    figures = {"1 worker": f"{3600 * alone.rate:.0f} scans per hour", "2 workers": f"{3600 * both.rate:.0f}"}
    return Outcome("preparation_two_workers", both.rate / alone.rate, 1.7, figures, min(alone.busy, both.busy) < BUSY)


def _throughput(scan: Volume, workers: int) -> Throughput:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(_prepared_once, [scan] * workers))  # libraries, template, masks
        began = time.perf_counter()
        spent = sum(pool.map(_prepared_once, [scan] * 4))
        wall = time.perf_counter() - began
    return Throughput(4 / wall, spent / wall / workers)


def _prepared_once(scan: Volume) -> float:
    load_ants()
    return prepare(scan).total


def read(path: Path) -> Volume:
    image = nib.as_closest_canonical(nib.load(path))
    return Volume(np.asarray(image.dataobj, dtype=np.float32), np.array(image.affine))
