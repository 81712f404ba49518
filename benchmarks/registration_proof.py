"""How often a scan in any pose, half seen, stripped or mislabelled is registered.

`python -m benchmarks.registration_proof` registers draws of `imaging.phantom.trials` with the settings of conf/adni and
compares the matrix found with the truth. The bias field is estimated more coarsely and the result is judged at 2 mm, to
save an hour. Each draw is written as it is done, and a run that was stopped goes on.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from cohortsmith.config.preparation import BiasFieldConfig, PreparationConfig
from cohortsmith.imaging.ants_door import load_ants
from cohortsmith.imaging.phantom.trials import Miss, draw_trial, measure_miss
from cohortsmith.imaging.preparation import prepare_scan
from cohortsmith.imaging.quality import outliers

ROOT = Path(__file__).resolve().parents[1]
DRAWS, SEED = 200, 7
KNOWN = ("tesla", "skull", "view", "mislabelled", "mirrored")
NUMBERS = (
    *("template_correlation", "brain_dice", "signal_to_noise", "contrast_to_noise", "tissue_outside_brain"),
    *("outside_view", "scale", "shear", "rotation_degrees", "bias_range", "air_signal", "ghosting"),
)
COLUMNS = ["draw", *KNOWN, *Miss._fields, "cpu_seconds", *NUMBERS]  # some scans lack some numbers
CLOSE = 1.0  # mm, mean over the brain in view; and degrees


QUICK_FIELD = BiasFieldConfig(resolution=8.0, tolerance=0.002)


def settings() -> PreparationConfig:
    """Give the preparation of conf/adni: registration at 2 mm, the paper's grid at 1 mm."""
    values = yaml.safe_load((ROOT / "conf/adni/parameters.yml").read_text())
    return PreparationConfig.read(values["preparation"], "preparation")


def measure(seed: int, number: int) -> dict[str, object]:
    load_ants()
    trial = draw_trial(seed, number)
    began = time.process_time()
    prepared = prepare_scan(trial.volume, settings().model_copy(update={"bias_field": QUICK_FIELD, "resolution": 2.0}))
    spent = time.process_time() - began
    known = {name: getattr(trial, name) for name in KNOWN}
    miss = measure_miss(prepared.transform, trial)._asdict()
    return {"draw": number, **known, **miss, "cpu_seconds": spent, **prepared.quality}


def flagged(rows: pd.DataFrame, config: PreparationConfig) -> pd.Series:
    """Say which draws the rules of the quality page would drop, or ask a person to look at."""
    cohort = {str(key): dict(row.dropna()) for key, row in rows.set_index("draw")[[*NUMBERS]].iterrows()}
    suspects = {int(one.key) for one in outliers(cohort)}
    return rows["draw"].isin(suspects) | (rows["template_correlation"] < config.minimum_correlation)


def table(rows: pd.DataFrame, config: PreparationConfig) -> pd.DataFrame:
    """Count, per kind of scan, the draws within 1 mm and 1 degree, and of the others those that are flagged."""
    rows = rows.assign(close=(rows["mean"] < CLOSE) & (rows["degrees"] < CLOSE), flagged=flagged(rows, config))
    kinds = {
        "all": np.ones(len(rows), dtype=bool),
        "brain only": ~rows["skull"],
        "whole head": rows["skull"],
        "1.5 T": rows["tesla"] == 1.5,
        "3 T": rows["tesla"] == 3.0,
        **{f"view: {view}": rows["view"] == view for view in ("whole", "neck cut", "top cut")},
        "wrong labels, no mirror": rows["mislabelled"] & ~rows["mirrored"],
        "wrong labels, mirrored": rows["mirrored"],
    }
    return pd.DataFrame([_summary(name, rows[mask]) for name, mask in kinds.items()]).set_index("scans")


def _summary(name: str, rows: pd.DataFrame) -> dict[str, object]:
    missed = rows[~rows["close"]]
    return {
        "scans": name,
        "draws": len(rows),
        "within 1 mm and 1 degree": int(rows["close"].sum()),
        "missed, flagged": int(missed["flagged"].sum()),
        "median mm": round(float(rows["mean"].median()), 2),
        "largest mm": round(float(rows["mean"].max()), 2),
        "median degrees": round(float(rows["degrees"].median()), 2),
        "largest degrees": round(float(rows["degrees"].max()), 2),
        "close but flagged": int((rows["close"] & rows["flagged"]).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.registration_proof", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=Path, default=ROOT / "data/08_reporting/registration_proof.csv")
    parser.add_argument("--table", action="store_true", help="only print the table of what is done")
    arguments = parser.parse_args()
    if not arguments.table:
        _run(arguments.rows, arguments.seed, arguments.draws, arguments.workers)
    print(table(pd.read_csv(arguments.rows), settings()).to_string())


def _run(rows: Path, seed: int, draws: int, workers: int) -> None:
    rows.parent.mkdir(parents=True, exist_ok=True)
    done = set(pd.read_csv(rows)["draw"]) if rows.exists() else set()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(measure, seed, number) for number in sorted({*range(draws)} - done)]
        for future in as_completed(running):
            row = pd.DataFrame([future.result()])
            row.reindex(columns=COLUMNS).to_csv(rows, mode="a", header=not rows.exists(), index=False)
            print(
                row[["draw", "mean", "most", "degrees", "cpu_seconds"]].to_string(header=False, index=False), flush=True
            )


if __name__ == "__main__":
    main()
