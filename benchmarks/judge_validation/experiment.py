"""Do generators of known worth get the verdict they deserve? Finished trainings are kept; a stopped run goes on."""

import argparse
import math
from pathlib import Path

import pandas as pd
import torch

from benchmarks.judge_validation import cohorts, jobs, page
from benchmarks.judge_validation.settings import FULL, QUICK, Settings
from benchmarks.judge_validation.verdicts import judge_cohorts
from cohortsmith.fingerprints import fingerprint
from cohortsmith.imaging.atomic_write import write_text

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"sizes": "training subjects per class", "doses": "synthetic images per class"}
OUTPUT = ROOT / "data" / "08_reporting" / "judge_validation"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.judge_validation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small cohort, a few minutes; writes no page")
    parser.add_argument("--folder", type=Path, default=OUTPUT, help="where subjects and trainings are kept")
    parser.add_argument("--seconds", type=float, default=math.inf, help="of processor time, then judge what is there")
    for name, what in PARTS.items():
        parser.add_argument(f"--{name}", type=int, nargs="+", help=f"{what}; writes no page")
    for name in ("seeds", "cohorts"):
        parser.add_argument(f"--{name}", type=int, help="how many; writes no page")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = _chosen(arguments)
    verdicts = run(settings, arguments.folder, arguments.seconds)
    print(page.as_text(verdicts, settings))
    if settings == FULL:
        page.write(verdicts, settings, ROOT / "docs")
    return 0


def _chosen(arguments: argparse.Namespace) -> Settings:
    settings = QUICK if arguments.quick else FULL
    several = {name: tuple(getattr(arguments, name)) for name in PARTS if getattr(arguments, name)}
    single = {name: getattr(arguments, name) for name in ("seeds", "cohorts") if getattr(arguments, name)}
    return settings._replace(**several, **single)


def run(settings: Settings, folder: Path, seconds: float = math.inf) -> pd.DataFrame:
    """Train what is missing, judge every whole cohort: a row per study, test set and arm (`verdicts`)."""
    pools = cohorts.load_pools(settings, folder)
    # more cohorts of the same design go on where fewer ended
    kept = folder / fingerprint(settings._replace(cohorts=0), _mark(pools))[:12]
    jobs.finish(settings, pools, kept, seconds)
    verdicts = judge_cohorts(settings, pools, kept)
    write_text(kept / "verdicts.tsv", verdicts.to_csv(sep="\t", index=False))
    return verdicts


def _mark(pools: cohorts.Pools) -> list[float]:
    return [float(pool.images.sum(dtype=float)) for pool in pools]
