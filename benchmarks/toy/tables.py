"""The tables, their `ratio` lines and the plots; the paper's numbers beside ours."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from benchmarks.toy import clustering, generation, likelihood

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Results = dict[str, Any]
GAN_TRAIN_TARGET, GAN_TEST_DISTANCE, AUGMENTED_TARGET = 90.0, 4.0, 93.0


def show_likelihood(results: Results, folder: Path) -> str:
    def scores(name: str) -> dict[str, np.ndarray]:
        return {
            model: np.array([row[name] for key, row in results.items() if key.split()[0] == model])
            for model in likelihood.MODELS
        }

    by_model, unseen = scores("log_p"), scores("log_p_unseen")
    lines = [
        "log p(x), nats (mean +- s.d. over 5 draws of the set)",
        f"{'':10}{'paper':>10}{'its 30 images':>22}{'600 unseen images':>22}",
    ]
    lines += [
        f"{model:10}{likelihood.PAPER[model]:10.1f}{_spread(by_model[model]):>22}{_spread(unseen[model]):>22}"
        for model in likelihood.MODELS
    ]
    for name, found in {"its 30 images": by_model, "600 unseen images": unseen}.items():
        gain = found["RHVAE"] - found["VAE"]
        error = gain.std(ddof=1) / len(gain) ** 0.5
        lines.append(f"RHVAE - VAE on {name}, paired: {gain.mean():+.2f} +- {error:.2f} (standard error)")
    lines += [
        f"ratio toy_log_p_rhvae_vs_paper {likelihood.PAPER['RHVAE'] / by_model['RHVAE'].mean():.3f} 1",
        f"ratio toy_log_p_rhvae_vs_vae {by_model['VAE'].mean() / by_model['RHVAE'].mean():.3f} 1",
        f"ratio toy_log_p_unseen_rhvae_vs_vae {unseen['VAE'].mean() / unseen['RHVAE'].mean():.3f} 1",
    ]
    _bars(
        folder / "likelihood.png",
        by_model,
        {model: likelihood.PAPER[model] for model in by_model},
        "log p(x) of held-out images (nats)",
    )
    return "\n".join(lines)


def show_clustering(results: Results, folder: Path) -> str:
    found = {name: np.array([row[name] for row in results.values()]) for name in clustering.PAPER}
    lines = [
        "F1 of two clusters of rings and disks, % (mean +- s.d. over 5 seeds)",
        f"{'':10}{'paper':>10}{'ours':>18}",
    ]
    lines += [
        f"{name:10}{clustering.PAPER[name]:10.1f}{values.mean():10.1f} +- {values.std(ddof=1):4.1f}"
        for name, values in found.items()
    ]
    lines.append(
        f"ratio toy_clustering_geodesic_vs_straight {found['geodesic'].mean() / found['straight'].mean():.3f} 1"
    )
    _bars(folder / "clustering.png", found, clustering.PAPER, "F1 of two clusters (%)")
    return "\n".join(lines)


def show_generation(results: Results, folder: Path) -> str:
    base = np.array([row["accuracy"] for key, row in results.items() if key.startswith("baseline")])
    arms = {
        arm: {
            score: np.array([row[arm][score] for row in results.values() if arm in row])
            for score in ("gan_train", "gan_test", "augmented")
        }
        for arm in generation.ARMS
    }
    lines = [
        "reduced MNIST, accuracy in % (mean +- s.d. over 5 draws of the set; the thesis's figure in brackets)",
        f"{'':26}{'GAN-train':>22}{'GAN-test':>22}{'real + 1000':>22}",
        f"{'real only':26}{_cell(base, generation.BASELINE[0])}{'':>22}{_cell(base, generation.BASELINE[2])}",
    ]
    for arm, scores in arms.items():
        cells = [_cell(scores[name], paper) for name, paper in zip(scores, generation.ARMS[arm].paper, strict=True)]
        lines.append(f"{arm:26}{''.join(cells)}")
    ours = {name: values.mean() for name, values in arms["RHVAE, learned geometry"].items()}
    distance = abs(ours["gan_test"] - base.mean())
    lines += [
        f"ratio toy_gan_train {ours['gan_train'] / GAN_TRAIN_TARGET:.3f} 1",
        f"ratio toy_gan_test_distance {GAN_TEST_DISTANCE / max(distance, 0.1):.3f} 1",
        f"ratio toy_augmented {ours['augmented'] / AUGMENTED_TARGET:.3f} 1",
    ]
    for score, title in {
        "gan_train": "trained on synthetic, tested on real (%)",
        "gan_test": "trained on real, tested on synthetic (%)",
        "augmented": "trained on real + 1000 per class (%)",
    }.items():
        place = list(arms["VAMP"]).index(score)
        shown = {"real only": base} | {arm: scores[score] for arm, scores in arms.items()}
        paper = {"real only": generation.BASELINE[place]} | {arm: generation.ARMS[arm].paper[place] for arm in arms}
        _bars(folder / f"{score}.png", shown, paper, title)
    return "\n".join(lines)


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.1f} +- {values.std(ddof=1):.1f}"


def _cell(values: np.ndarray, paper: float | None) -> str:
    spread = f" +- {values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{f'{values.mean():.1f}{spread}' + (f' ({paper:.1f})' if paper else ''):>22}"


def _bars(file: Path, found: dict[str, np.ndarray], paper: dict[str, float | None], title: str) -> None:
    """One row per arm: every seed a dot, the mean a bar's end, the paper's figure a diamond."""
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(found) + 1.2), layout="constrained")
    for row, (name, values) in enumerate(found.items()):
        axes.plot(values, [row] * len(values), "o", color="#0072B2", alpha=0.5, markersize=5)
        axes.plot([values.mean()], [row], "|", color="#0072B2", markersize=18, markeredgewidth=3)
        if paper.get(name):
            axes.plot([paper[name]], [row], "D", color="#D55E00", markersize=6)
    axes.plot([], [], "|", color="#0072B2", markersize=12, markeredgewidth=3, label="ours: mean (dots: seeds)")
    axes.plot([], [], "D", color="#D55E00", markersize=6, label="the paper")
    axes.set_yticks(range(len(found)), found)
    axes.invert_yaxis()
    axes.set_xlabel(title)
    axes.legend(loc="best", frameon=False, fontsize=8)
    axes.grid(axis="x", alpha=0.3)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130)
    plt.close(figure)
