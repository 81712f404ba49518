"""Which of a visit's T1-weighted images ADNI's users take, and why the others are left.

COLPROT ADNI1, ADNIGO, ADNI2:
  1. Series that failed quality control are left out; without a verdict they are kept.
  2. Processed images: names ending in "Scaled", if there is none in "N3m", if there is none in "N3".
     Of several field strengths 1.5 T in ADNI1, else 3 T; of several series the one with the lowest number.
     Of that series the corrected image before scaling (N3) is taken, if it is on disk, else the scaled, else the raw.
  3. Without any processed image the original MPRAGE or SPGR ones, by quality.
COLPROT ADNI3, ADNI4: the original accelerated ones, by quality.
By quality: the preferred field strength; at 3 T the only one that Mayo Clinic selected, else the best grade (1 to 3,
then those not graded), else those Mayo Clinic has not seen; then names without "repeat", then the lowest series. If all
of the preferred field strength failed, the other one; if these failed too, there is none.
Source: Clinica's converter (Samper-González et al., NeuroImage 2018) in version 0.4.
"""

import numpy as np
import pandas as pd

from cohortsmith.imaging.sources.archive_values import contains, look_up
from cohortsmith.imaging.sources.field_map import AdniImages

VISIT = ["person", "code"]
_FAILED, _UNSEEN, _OTHER_FIELD = 99.0, 5.0, 10.0
CHOSEN = ("adni.n3", "adni.scaled", "adni.raw")


def select_images(
    images: pd.DataFrame, series_quality: pd.DataFrame, image_quality: pd.DataFrame, names: AdniImages
) -> pd.Series:
    """Give the rule that decides on each image of a visit: one of `CHOSEN` for at most one per visit.

    images: rows of `adni_images` with code, protocol. series_quality: series, passed. image_quality: image, selected,
    quality. Numbers as text.
    """
    frame = _described(images, series_quality, image_quality, names)
    pool = _pool(frame)
    chosen = pool[~pool["rank"].ge(_FAILED)].drop_duplicates(VISIT)
    final = _on_disk(frame, chosen, names)
    return _rules(frame, pool, chosen, final)


def _described(
    images: pd.DataFrame, series_quality: pd.DataFrame, image_quality: pd.DataFrame, names: AdniImages
) -> pd.DataFrame:
    """Add what the rules need: family, ending, eligible, failed, preferred, rank."""
    failed = set(series_quality.loc[~series_quality["passed"].isin(["1", "1.0"]), "series"]) - {""}
    accelerated = images["protocol"].isin(names.accelerated_protocols)
    original = contains(images["sequence"], names.original)
    late = contains(images["sequence"], names.accelerated)
    eligible = ~images["processed"] & late.where(accelerated, original)
    low = images["protocol"].isin(names.low_field_protocols)
    preferred = images["field_strength"].isna() | (images["field_strength"] == np.where(low, 1.5, 3.0))
    frame = images.assign(
        family=_family(images),
        ending=_ending(images, names).mask(accelerated),
        eligible=eligible,
        # Series of the later protocols are judged image by image.
        failed=images["series"].isin(failed) & ~accelerated,
        preferred=preferred,
        repeated=contains(images["sequence"], names.repeat),
        number=pd.to_numeric(images["series"], errors="coerce").astype(float).fillna(np.inf),
    )
    return frame.assign(tier=_tier(frame, image_quality, names))


def _family(images: pd.DataFrame) -> pd.Series:
    """Name the series that images stem from: by its number, else by the only series of the day, else by the day."""
    day = images["scanned"].dt.strftime("%Y-%m-%d").fillna("")
    series = images["series"].replace("", None)
    of_day = series.groupby([images["person"], day])
    only = of_day.transform("first").where(of_day.transform("nunique") == 1)
    return series.fillna(only).fillna("on " + day)


def _ending(images: pd.DataFrame, names: AdniImages) -> pd.Series:
    ending = pd.Series(np.nan, index=images.index)
    for place, text in reversed(list(enumerate(names.endings))):
        ending = ending.mask(images["processed"] & images["sequence"].str.endswith(text), float(place))
    return ending


def _tier(frame: pd.DataFrame, image_quality: pd.DataFrame, names: AdniImages) -> pd.Series:
    """Rank images by quality control: 0 selected, 1 to 4 passed, 5 not seen, 99 failed."""
    grades = image_quality.drop_duplicates("image").set_index("image")
    quality = look_up(frame["image"], pd.to_numeric(grades["quality"], errors="coerce"))
    selected = look_up(frame["image"], pd.to_numeric(grades["selected"], errors="coerce")).eq(1)
    selected &= frame["eligible"] & ~frame["failed"] & (frame["field_strength"] != 1.5)
    only = selected & selected.groupby([frame[key] for key in VISIT]).transform("sum").eq(1)
    tier = quality.mask(quality == names.quality_not_done, 4.0).mask(quality >= names.failed_quality, _FAILED)
    tier = tier.where((tier > 0) & tier.notna(), _UNSEEN).mask(only, 0.0)
    # Mayo Clinic's grades are of images at 3 T.
    return tier.mask(frame["field_strength"] == 1.5, _UNSEEN)


def _pool(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the images of each visit among which rule 2, else rule 3 chooses, best first."""
    usable = frame[~frame["failed"]]
    best = usable["ending"].groupby([usable[key] for key in VISIT]).transform("min")
    is_original = best.isna() & usable["eligible"]
    pool = usable[(usable["ending"] == best) | is_original]
    rank = pool["tier"].where(pool["ending"].isna(), 0.0)
    rank = rank + (~pool["preferred"] * _OTHER_FIELD)
    order = ["rank", "repeated", "number", "image", "place"]
    # A processed image of a repeated scan is a series like any other.
    repeated = pool["repeated"] & pool["ending"].isna()
    return pool.assign(rank=rank, repeated=repeated).sort_values(order, kind="stable")


def _on_disk(frame: pd.DataFrame, chosen: pd.DataFrame, names: AdniImages) -> pd.DataFrame:
    """Find the image to convert of each chosen series, with the rule that says which stage it is."""
    wanted = chosen[["person", "code", "family", "sequence", "processed", "image"]]
    cut = wanted["sequence"].str.extract(f"({names.cut})", expand=False).fillna("")
    wanted = wanted.assign(cut=cut.where(wanted["processed"], ""))
    members = frame.reset_index().merge(wanted, on=["person", "code", "family"], suffixes=("", "_chosen"))
    stage = np.select(
        [
            members["processed_chosen"] & members["processed"] & (members["sequence"] == members["cut"]),
            members["processed_chosen"] & members["processed"] & (members["sequence"] == members["sequence_chosen"]),
            members["processed_chosen"] & members["eligible"],
            ~members["processed_chosen"] & (members["image"] == members["image_chosen"]) & ~members["processed"],
        ],
        [0, 1, 2, 2],
        default=9,
    )
    members = members.assign(stage=stage)[(stage < 9) & (members["source"] != "")]
    first = members.sort_values(["stage", "number", "image", "place"], kind="stable").drop_duplicates(VISIT)
    return first.set_index("index").assign(rule=lambda rows: rows["stage"].map(dict(enumerate(CHOSEN))))


def _rules(frame: pd.DataFrame, pool: pd.DataFrame, chosen: pd.DataFrame, final: pd.DataFrame) -> pd.Series:
    rule = _of_pool(pool, chosen).reindex(frame.index)
    rule = rule.fillna(_of_other_stages(frame, pool, rule))
    family = frame[VISIT].merge(chosen[[*VISIT, "family"]], "left", VISIT)["family"].set_axis(frame.index)
    same = frame["family"] == family
    found = frame[VISIT].merge(final[[*VISIT, "stage"]], "left", VISIT)["stage"].set_axis(frame.index)
    missing = (same & found.isna()) | (same & (frame["source"] == ""))
    rule = rule.mask(same, "adni.other_stage").mask(missing, "adni.not_on_disk")
    rule = rule.mask(frame["failed"], "adni.failed_quality")
    rule.loc[final.index] = final["rule"]
    return rule


def _of_pool(pool: pd.DataFrame, chosen: pd.DataFrame) -> pd.Series:
    """Say why an image of the pool is not the chosen one."""
    best = pool[VISIT].merge(chosen[[*VISIT, "rank"]], "left", VISIT)["rank"].set_axis(pool.index)
    rule = pd.Series("adni.later_series", index=pool.index, dtype=object)
    rule = rule.mask(pool["rank"] > best, "adni.lower_quality")
    rule = rule.mask((pool["rank"] >= best + _OTHER_FIELD / 2) & ~pool["preferred"], "adni.other_field_strength")
    return rule.mask(pool["rank"] >= _FAILED, "adni.failed_quality")


def _of_other_stages(frame: pd.DataFrame, pool: pd.DataFrame, of_pool: pd.Series) -> pd.Series:
    """Say why an image outside the pool is left: as its series in the pool is, or for its kind."""
    by_series = pool.assign(rule=of_pool.loc[pool.index]).drop_duplicates([*VISIT, "family"])
    key = [*VISIT, "family"]
    inherited = frame[key].merge(by_series[[*key, "rule"]], "left", key)["rule"].set_axis(frame.index)
    has_processed = frame["ending"].groupby([frame[name] for name in VISIT]).transform("count") > 0
    own = pd.Series("adni.other_sequence", index=frame.index, dtype=object)
    own = own.mask((frame["eligible"] | frame["processed"]) & has_processed, "adni.processed_image")
    return own.where(~frame["processed"] | inherited.isna(), inherited)
