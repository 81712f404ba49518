"""Images of ADNI: the rows of its image lists, joined with what lies on disk, each image once."""

from collections.abc import Sequence

import pandas as pd

from cohortsmith.imaging.sources.archive_folders import Listing
from cohortsmith.imaging.sources.archive_tables import Table, TableFile, read_archive_table
from cohortsmith.imaging.sources.archive_values import contains, digits, known, parse_dates, parse_numbers
from cohortsmith.imaging.sources.candidates import candidate_name
from cohortsmith.imaging.sources.field_map import AdniImages, AdniMap, TableMap

COLUMNS = (
    *("candidate", "person", "label", "scanned", "sequence", "processed", "field_strength", "series", "image"),
    *("place", "source", "files", "named"),
)
_TEXT = ("person", "label", "sequence", "series", "image")


def read_images(files: Sequence[TableFile], listing: Listing, names: AdniMap) -> Table:
    """List every T1-weighted image that a table names or that lies on disk, with the columns `COLUMNS`.

    label: the archive's name of the visit, in lower case, empty if no list gives one. scanned: date.
    sequence: in the form of a folder's name, in lower case. field_strength: tesla, 1.5 or 3, NaN if unknown.
    series, image: numbers as text, empty if unknown. source: empty if it is not on disk.
    named: whether a list names it, or another image of its series, or there is no list.
    """
    read = [_listed(files, table, names) for table in names.tables.image_lists]
    listed = pd.concat([part.frame for part in read], ignore_index=True)
    named = listed[listed["image"] != ""].drop_duplicates(["person", "image"])
    listed = pd.concat([named, listed[listed["image"] == ""]], ignore_index=True)
    stored = _stored(listing.frame, names.images)
    joined = _joined(listed, stored)
    frame = _with_names(_completed(joined.assign(named=_is_named(joined, listed))))
    warnings = () if len(listed) else tuple(warning for part in read for warning in part.warnings)
    said = tuple(warning for part in read if len(part.frame) for warning in part.warnings)
    return Table(frame[list(COLUMNS)], tuple(dict.fromkeys((*warnings, *said, *listing.warnings))))


def folder_form(names: pd.Series, replaced: str) -> pd.Series:
    """Write names as the archive writes them in folders, in lower case."""
    return names.str.strip().str.translate(str.maketrans(replaced, "_" * len(replaced))).str.lower()


def _listed(files: Sequence[TableFile], table: TableMap, names: AdniMap) -> Table:
    read = read_archive_table(files, table)
    frame = read.frame
    sequence = folder_form(frame["sequence"], names.images.replaced)
    kept = contains(sequence, names.images.t1w) | table.only_t1w
    modality = frame["modality"].str.lower()
    kept &= (modality == "") | modality.isin(names.values.mri)
    labels = known(frame["visit"], names.values.missing).str.strip().str.lower()
    tesla = frame["field_strength"].where(frame["field_strength"] != "", _tesla_in(frame["protocol_text"]))
    rows = pd.DataFrame(
        {
            "person": frame["person"],
            "label": labels,
            "scanned": parse_dates(frame["scanned"]),
            "sequence": sequence,
            "processed": _is_processed(frame["kind"], sequence, names),
            "field_strength": nominal_field_strength(tesla),
            "series": digits(frame["series"]),
            "image": digits(frame["image"]),
        }
    )
    return Table(rows[kept].reset_index(drop=True), read.warnings)


def _tesla_in(protocol: pd.Series) -> pd.Series:
    return protocol.str.extract(r"[Ff]ield [Ss]trength=([0-9.]+)", expand=False).fillna("")


def nominal_field_strength(tesla: pd.Series) -> pd.Series:
    """Round what scanners call 1.494 or 2.89 tesla to 1.5 and 3; NaN if unknown."""
    numbers = parse_numbers(tesla.str.removesuffix("T").str.strip(), 0.5, 10)
    return numbers.mask(numbers < 2.2, 1.5).mask(numbers >= 2.2, 3.0)


def _is_processed(kind: pd.Series, sequence: pd.Series, names: AdniMap) -> pd.Series:
    lower = kind.str.lower()
    by_name = contains(sequence, names.images.processed)
    return lower.isin(names.values.processed) | (~lower.isin(names.values.original) & by_name)


def _stored(frame: pd.DataFrame, images: AdniImages) -> pd.DataFrame:
    sequence = folder_form(frame["sequence"], images.replaced)
    t1w = contains(sequence, images.t1w)
    frame = frame.assign(sequence=sequence, scanned=parse_dates(frame["date"]))[t1w]
    return frame.assign(processed=contains(frame["sequence"], images.processed)).reset_index(drop=True)


def _joined(listed: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Give each row of the lists its place on disk; append what lies on disk and no row names."""
    by_image = _first(stored[stored["image"] != ""], ["person", "image"])
    by_name = _first(stored[(stored["image"] == "") & (stored["series"] != "")], ["person", "series", "sequence"])
    on_disk = ["place", "source", "files"]
    image, name = ["person", "image"], ["person", "series", "sequence"]
    joined = listed.merge(by_image[[*image, "series", *on_disk]], "left", image, suffixes=("", "_"))
    other = listed.merge(by_name[[*name, *on_disk]], "left", name)
    # A folder that only names series and sequence belongs to one image.
    other.loc[other["place"].duplicated(), on_disk] = None
    joined[on_disk] = joined[on_disk].fillna(other[on_disk])
    joined["series"] = joined["series"].where(joined["series"] != "", joined["series_"].fillna(""))
    unlisted = stored[~stored["place"].isin(joined["place"].dropna())]
    return pd.concat([joined, unlisted], ignore_index=True)


def _is_named(joined: pd.DataFrame, listed: pd.DataFrame) -> pd.Series:
    """Follow a list only: to its own images, and to those of the same series, or day where a folder says no series."""
    if listed.empty:
        return pd.Series(True, index=joined.index)
    series = _among(joined, listed[listed["series"] != ""], ["person", "series"])
    day = _among(joined, listed[listed["scanned"].notna()], ["person", "scanned"]) & (joined["series"].fillna("") == "")
    own = pd.Series(joined.index < len(listed), index=joined.index)
    return own | series | day


def _among(joined: pd.DataFrame, listed: pd.DataFrame, key: list[str]) -> pd.Series:
    known = pd.MultiIndex.from_frame(listed[key])
    return pd.Series(pd.MultiIndex.from_frame(joined[key]).isin(known), index=joined.index)


def _first(stored: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    # An image with files comes before an empty folder of the same name.
    return stored.assign(empty=stored["source"] == "").sort_values(["empty", "place"]).drop_duplicates(key)


def _completed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give images that no row names the visit's name of their day, and the field strength of their series."""
    frame = frame.reindex(columns=list(COLUMNS))
    text = [*_TEXT, "place", "source", "files"]
    frame[text] = frame[text].fillna("").astype(str)
    label = _of_others(frame, ["person", "scanned"], frame["label"].replace("", None))
    strength = _of_others(frame[frame["series"] != ""], ["person", "series"], frame["field_strength"].astype(float))
    return frame.assign(
        label=frame["label"].where(frame["label"] != "", label.fillna("")),
        field_strength=frame["field_strength"].astype(float).fillna(strength),
        processed=frame["processed"].astype(bool),
    )


def _of_others(frame: pd.DataFrame, key: list[str], values: pd.Series) -> pd.Series:
    """Give each row the first value that is known among the rows with the same key."""
    return frame.assign(value=values)[[*key, "value"]].groupby(key)["value"].transform("first")


def _with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Name each image in the ledger: by the archive's number, else by its place or its row."""
    number = "I" + frame["image"]
    # The same image in a second folder, or in another person's, cannot have the same name.
    plain = (frame["image"] != "") & ~number.duplicated()
    others = frame[~plain]
    row = others["person"].str.cat(others[["sequence", "series", "image"]], sep="/")
    row = row + "/" + others["scanned"].dt.strftime("%Y-%m-%d").fillna("")
    row = row + "/" + row.groupby(row).cumcount().astype(str)
    place = others["place"].where(others["place"] != "", row)
    return frame.assign(candidate=pd.concat([number[plain], place.map(candidate_name)]).astype(str))
