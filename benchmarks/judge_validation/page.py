"""What the simulated studies say of the judge: tables, a picture, a page of the documentation."""

from pathlib import Path
from textwrap import wrap

import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from benchmarks.judge_validation.settings import USEFUL, USELESS, Settings
from cohortsmith.evaluation.verdict import BROKEN, CANNOT_TELL, HARMS, HELPS, NO_DIFFERENCE
from cohortsmith.imaging.atomic_write import write_text

WORDS = (HELPS, NO_DIFFERENCE, HARMS, CANNOT_TELL, BROKEN)
MADE = ("synthetic", "real+synthetic")
STUDY = ["cohort", "size"]
BY_HAND = "## What follows\n"
WIDTH = 120  # characters of a line
_CAPTION = """*Above: balanced accuracy against synthetic images per class; mean over cohorts, whiskers ± 1 s.d.
Crosses: real + synthetic of the useless generators at the largest dose. Below: how often real + synthetic of the useful
generator (largest dose) is said to help, by test subjects per class.*"""


def write(verdicts: pd.DataFrame, settings: Settings, folder: Path) -> None:
    """Write `validation.md` and `validation.png`; what a person wrote at the page's end stays."""
    page = folder / "validation.md"
    _, heading, written = page.read_text().partition(BY_HAND) if page.exists() else ("", "", "")
    write_text(page, as_text(verdicts, settings) + heading + written)
    draw(verdicts, settings).savefig(folder / "validation.png", dpi=90)


def as_text(verdicts: pd.DataFrame, settings: Settings) -> str:
    """Put the results into Markdown."""
    own = f"test-{settings.tests[-1]}"
    return "\n\n".join(
        [
            "# The judge, judged",
            _introduction(verdicts, settings),
            "## Is the useful generator found?",
            _table(power(verdicts)),
            _needed(verdicts, settings),
            "![Dose and response, and power](validation.png)",
            _CAPTION,
            "## Is a useless one taken for useful?",
            _false_help(verdicts),
            f"Verdicts at the largest dose, {settings.tests[-1]} test subjects per class, all training sets:",
            _table(counts(verdicts[verdicts["test_set"] == own])),
            "The same on the external study's scanners:",
            _table(counts(verdicts[verdicts["test_set"] == "external"])),
            "",
        ]
    )


def power(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Tabulate, for the useful generator and per size and dose, the effect and how often it is said to help."""
    useful = verdicts[(verdicts["generator"] == USEFUL) & (verdicts["arm"] == "real+synthetic")]
    rows = []
    for (size, dose), part in useful.groupby(["size", "dose"]):
        by_set = dict(list(part.groupby("test_set", sort=False)))
        largest = by_set[[name for name in by_set if name != "external"][-1]]
        rows.append(
            {
                "real per class": size,
                "synthetic per class": dose,
                "real alone": f"{largest['real'].mean():.3f}",
                "real + synthetic": f"{largest['balanced_accuracy'].mean():.3f}",
                "difference": f"{largest['difference'].mean():+.3f} ± {largest['difference'].std():.3f}",
                **{f"helps, {name.replace('test-', '')}": _share(rows["word"], HELPS) for name, rows in by_set.items()},
            }
        )
    return pd.DataFrame(rows)


def counts(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts on the arms that use synthetic images at the largest dose, and on the two controls."""
    last = verdicts[verdicts["dose"] == verdicts["dose"].max()]
    made = last[last["arm"].isin(MADE)]
    # the controls are the same runs whatever the generator
    controls = last[~last["arm"].isin(MADE) & (last["generator"] == USEFUL)].assign(generator="none")
    counted = pd.concat([made, controls]).groupby(["generator", "arm"], sort=False)
    return pd.DataFrame(
        [
            {"generator": generator, "arm": arm}
            | {"mean difference": f"{rows['difference'].mean():+.3f}"}
            | {word: int((rows["word"] == word).sum()) for word in WORDS}
            for (generator, arm), rows in counted
        ]
    )


def false_help(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count per test set where a useless generator's arm is said to help, in ever larger units.

    Verdicts; comparisons (a study's arms of one generator, whose intervals hold together); studies (a cohort and a
    size, all useless generators); cohorts. Studies and cohorts with a one-sided bound at 95 % (Clopper and Pearson).
    """
    useless = verdicts[verdicts["generator"].isin(USELESS) & verdicts["arm"].isin(MADE)]
    wrong = useless.assign(wrong=useless["word"] == HELPS)
    return pd.DataFrame(
        [
            {"test set": name, "verdicts": _count(rows["wrong"])}
            | {"comparisons": _count(_any(rows, [*STUDY, "generator", "dose"]))}
            | {"studies": _bounded(_any(rows, STUDY)), "cohorts": _bounded(_any(rows, ["cohort"]))}
            for name, rows in wrong.groupby("test_set", sort=False)
        ]
    )


def draw(verdicts: pd.DataFrame, settings: Settings) -> Figure:
    """Draw dose and response per size of the training set, and the power per size of the test set."""
    figure = Figure(figsize=(3.1 * len(settings.sizes), 6.0), layout="constrained")
    above, below = figure.subplots(2, len(settings.sizes), sharey="row", squeeze=False)
    for size, upper, lower in zip(settings.sizes, above, below, strict=True):
        part = verdicts[verdicts["size"] == size]
        _draw_response(upper, part[part["test_set"] == f"test-{settings.tests[-1]}"])
        _draw_power(lower, part, settings)
        upper.set_title(f"{size} real per class")
    above[0].set_ylabel("balanced accuracy")
    below[0].set_ylabel("share said to help")
    above[0].set_ylim(top=above[0].get_ylim()[1] + 0.1)
    above[0].legend(fontsize=7, loc="upper left", ncols=2)
    return figure


def _draw_response(axes, verdicts: pd.DataFrame) -> None:
    useful = verdicts[verdicts["generator"] == USEFUL]
    real = useful.groupby("cohort")["real"].first()
    for arm, style in (("real+synthetic", "-o"), ("synthetic", "--s")):
        by_dose = useful[useful["arm"] == arm].groupby("dose")["balanced_accuracy"]
        mean, sd = by_dose.mean(), by_dose.std()
        axes.errorbar([0.5, *range(1, 1 + len(mean))][1:], mean, sd, fmt=style, capsize=2, label=f"{arm}, useful")
        axes.set_xticks([0, *range(1, 1 + len(mean))], ["0", *map(str, mean.index)])
    axes.errorbar([0], [real.mean()], [real.std()], fmt="ko", capsize=2, label="real alone")
    axes.axhline(real.mean(), color="k", linewidth=0.6, linestyle=":")
    last = len(useful["dose"].unique()) + 0.4
    for generator in USELESS:
        rows = verdicts[(verdicts["generator"] == generator) & (verdicts["arm"] == "real+synthetic")]
        axes.plot([last], [rows["balanced_accuracy"].mean()], "x", label=generator)
    axes.set_xlabel("synthetic images per class")


def _draw_power(axes, verdicts: pd.DataFrame, settings: Settings) -> None:
    last = verdicts[(verdicts["dose"] == settings.doses[-1]) & (verdicts["arm"] == "real+synthetic")]
    for generators, label in (((USEFUL,), "useful"), (USELESS, "useless, all four")):
        rows = last[last["generator"].isin(generators)]
        shares = [(rows.loc[rows["test_set"] == f"test-{n}", "word"] == HELPS).mean() for n in settings.tests]
        axes.plot(settings.tests, shares, "-o", label=label)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("test subjects per class")
    axes.legend(fontsize=7)


def _introduction(verdicts: pd.DataFrame, settings: Settings) -> str:
    n = int(verdicts.groupby("size")["cohort"].nunique().min())
    phantom, judge, classifier = settings.phantom, settings.judge, settings.classifier
    simulated = (
        "Before the judge says anything of a generator, generators of known worth are put before it. "
        f"Phantom subjects are simulated in the template's pose on {settings.voxel:g} mm voxels, without "
        f"N4 and registration (effect {phantom.effect_mean:g} ± {phantom.effect_sd:g} among patients, ± "
        f"{phantom.control_sd:g} among controls, as in the demo). `useful` is the simulator itself "
        "drawing new subjects; `noise`, `copies` of training images, new subjects with `wrong labels` "
        "(drawn at random) and one `collapsed` image per class are useless."
    )
    drawn = (
        f"{n} cohorts were drawn, each with its own training, validation and test subjects and nested "
        f"training sets; per cell {settings.seeds} seeds per arm, each with a draw of its own from the generator, a "
        f"perceptron of {classifier.hidden[0]} "
        f"units, {classifier.optimizer_steps} optimiser steps in every arm; verdicts by the pipeline's "
        f"own functions at their defaults ({judge.confidence:.0%}; effects below "
        f"{judge.smallest_effect:g} do not matter), four arms compared with real images alone. Cohorts "
        f"share a pool of {settings.pool} subjects per class, from which the useful generator draws too: "
        "neither cohorts nor draws are wholly independent."
    )
    command = (
        "`python -m benchmarks.judge_validation` (goes on where it was stopped; `--seconds N` stops by "
        "itself; `--quick` is one small cohort)."
    )
    return "\n\n".join("\n".join(wrap(part, WIDTH, break_on_hyphens=False)) for part in (simulated, drawn, command))


def _needed(verdicts: pd.DataFrame, settings: Settings) -> str:
    last = verdicts[
        (verdicts["generator"] == USEFUL)
        & (verdicts["arm"] == "real+synthetic")
        & (verdicts["dose"] == settings.doses[-1])
    ]
    told = []
    for size in settings.sizes:
        part = last[last["size"] == size]
        enough = [
            n for n in settings.tests if (part.loc[part["test_set"] == f"test-{n}", "word"] == HELPS).mean() >= 0.8
        ]
        told.append(f"{size} real subjects: {enough[0] if enough else f'more than {settings.tests[-1]}'}")
    return (
        "Test subjects per class that showed the useful generator in at least 80 % of cohorts (largest dose, real + "
        f"synthetic): {'; '.join(told)}. `cannot tell` is the honest word below that."
    )


def _false_help(verdicts: pd.DataFrame) -> str:
    broken = verdicts.assign(broken=verdicts["word"] == BROKEN).groupby(STUDY)["broken"].any()
    stated = (
        "A useless generator's arm is said to help so often. Stated: in 2.5 % of comparisons (the arms of one "
        f"generator on one test set hold together), so in at most {len(USELESS) * 0.025:.0%} of studies (a cohort and "
        f"a size), which ask of {len(USELESS)} useless generators. Studies of one cohort are nested, and share test "
        "subjects: only cohorts are independent, so that the bound over studies is too low."
    )
    control = (
        f"The random-label control called the protocol broken in {_count(broken)} studies (stated: 1 %, all test sets "
        "of a study together)."
    )
    return "\n\n".join(["\n".join(wrap(stated, WIDTH)), _table(false_help(verdicts)), "\n".join(wrap(control, WIDTH))])


def _any(rows: pd.DataFrame, unit: list[str]) -> pd.Series:
    return rows.groupby(unit)["wrong"].any()


def _bounded(wrong: pd.Series) -> str:
    n, total = int(wrong.sum()), len(wrong)
    high = stats.beta.ppf(0.95, n + 1, total - n) if n < total else 1.0
    return f"{_count(wrong)} (at most {high:.1%})"


def _count(wrong: pd.Series) -> str:
    return f"{int(wrong.sum())} of {len(wrong)}"


def _share(words: pd.Series, word: str) -> str:
    return _count(words == word)


def _table(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
