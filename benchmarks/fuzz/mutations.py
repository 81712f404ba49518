"""What can go wrong with a delivery: tables, headers, files, names and links, a few at a time."""

import codecs
import contextlib
import csv
import gzip
import io
import os
import random
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

TABLES = (".csv", ".tsv")
CELLS = (
    *("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=1", "-", "--", "+", "@"),
    *("..", "../../x", "/etc/passwd", "a\0b", "", "n/a", "NaN", "inf", "-inf", "1e309", "9" * 400, "9" * 5000, "1e400"),
    *(
        "٠٠١_S_٠٠٠١",
        "٣",
        "２",
        "m٣",
        "\n",
        "a\nb",
        "\x1b[31mred",
        "a" * 300,
        "b" * 70_000,
        "c" * 200_000,
        "😀",
        "é",
        "İ",
    ),
    *("0000", "-4", "-1", "2020-13-45", "0001-01-01", "9999-12-31", "99999-01-01", "1/1/0000", "1e5", "I", "S0", "I-1"),
    *(
        "m999",
        "m1000",
        "bl",
        "m-1",
        "sc",
        "m06.0",
        "nan",
        "\u202egpj",
        "\ufeffA",
        "\u2028",
        "\x85",
        "\x1c",
        "70,5",
        "1,234.5",
    ),
    *("None", "True", "0x10", "1_000", "' OR 1=1", "{key}", "%s%n", "<script>alert(1)</script>", "sub-", "ses-", "A_1"),
    *(
        "1e-400",
        "-0",
        "1970",
        "70.",
        ".5",
        "70.5.1",
        "1 2",
        "001",
        "1.0",
        "4294967296",
        "18446744073709551616",
        "-9" * 30,
    ),
)
NAMES = (
    *(
        b"\xff\xfe",
        b"a\nb",
        b"\x1b[31m",
        b"=1+1",
        b"-rf",
        b"x" * 240,
        b"\xc3\x28.nii",
        b"a\tb.dcm",
        b"I99999999999999999999",
    ),
    *("٠٠١_S_٠٠٠١".encode(), "٣".encode(), b"...", b" ", b"I0", b"S0", b"*", b"[a]", b"{}", b"%s", b"a\\b", b"CON"),
    *(
        b"909_S_9901",
        b"9901",
        b"OAS1_0001_MR1",
        "OAS1_٠٠٠١_MR1".encode(),
        b"sub-A",
        b"sub-",
        b"ses-",
        b"ses-=1",
        b"1" * 200,
    ),
    *(
        b"2006-99-99_00_00_00.0",
        b"MPRAGE",
        b"x_S1_I1.nii",
        b"x_S_I.nii",
        b"anat",
        b"sub-\xff_T1w.nii",
        b"A_bl.nii",
        b"B.nii.gz",
    ),
)
SIDECARS = (
    b'{"EchoTime": NaN}',
    b'{"Manufacturer": "\\ud800"}',
    b'{"Manufacturer": {"PatientName": "DOE"}, "EchoTime": "=1+1", "FlipAngle": [1, [2]]}',
    b"[" * 100_000,
    b'{"EchoTime": 1e999, "Manufacturer": "' + b"x" * 100_000 + b'"}',
    b"\xff\xfe{}",
    b'{"Manufacturer": "K\xf6ln"}',
    b"[]",
    b'{"RepetitionTime": ' + b"9" * 5000 + b"}",
)
Mutation = Callable[[Path, random.Random], None]


def mutate(root: Path, rng: random.Random) -> list[str]:
    """Do one to four things to the tree below `root`; give their names. What cannot be done is left out."""
    chosen = rng.choices(MUTATIONS, k=rng.choice((1, 1, 2, 3, 4)))
    for mutation in chosen:
        with contextlib.suppress(
            OSError, IndexError, ValueError, UnicodeError, csv.Error, AttributeError, TypeError, zlib.error
        ):
            mutation(root, rng)
    return [mutation.__name__.strip("_") for mutation in chosen]


def _files(root: Path, *suffixes: str) -> list[Path]:
    found = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
    return sorted(path for path in found if not suffixes or path.suffix in suffixes)


def _any_file(root: Path, rng: random.Random, *suffixes: str) -> Path:
    files = [path for path in _files(root, *suffixes) if path.is_file() and not path.is_symlink()]
    return rng.choice(files)


def _any_place(root: Path, rng: random.Random) -> Path:
    folders = [Path(folder, name) for folder, names, _ in os.walk(root) for name in names]
    return rng.choice(sorted(folders) if rng.random() < 0.5 and folders else _files(root))


def _set_cells(root: Path, rng: random.Random) -> None:
    table = _any_file(root, rng, *TABLES)
    text = table.read_bytes().decode("utf-8")
    separator = "\t" if "\t" in text.split("\n")[0] else ","
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    for _ in range(rng.choice((1, 1, 3, 10))):
        row = rng.randrange(0 if rng.random() < 0.1 else 1, len(rows))
        column = rng.randrange(len(rows[row]))
        other = rng.choice(rows[rng.randrange(len(rows))] or [""])
        rows[row][column] = rng.choice([*CELLS, other, other[::-1]])
    target = io.StringIO()
    csv.writer(target, delimiter=separator, lineterminator="\n").writerows(rows)
    table.write_text(target.getvalue(), encoding="utf-8", newline="")


def _set_column(root: Path, rng: random.Random) -> None:
    table = _any_file(root, rng, *TABLES)
    text = table.read_bytes().decode("utf-8")
    separator = "\t" if "\t" in text.split("\n")[0] else ","
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    column = rng.randrange(len(rows[0]))
    for row in rows[1:]:
        row[column] = rng.choice(CELLS)
    target = io.StringIO()
    csv.writer(target, delimiter=separator, lineterminator="\n").writerows(rows)
    table.write_text(target.getvalue(), encoding="utf-8", newline="")


def _spoil_lines(root: Path, rng: random.Random) -> None:
    table = _any_file(root, rng, *TABLES)
    lines = table.read_bytes().split(b"\n")
    place = rng.randrange(len(lines))
    lines = rng.choice(
        (
            lines[:place],
            lines[place:],
            [*lines, *lines[1:]],
            [*lines[:1], *rng.sample(lines[1:], len(lines) - 1)],
            [line + line[:1] * (number == place) for number, line in enumerate(lines)],
            [line.partition(b",")[2] if number == place else line for number, line in enumerate(lines)],
            [line + b"," + line.partition(b",")[0] for line in lines],
            [line + b",x" * 10_000 if number == 0 else line + b"," * 10_000 for number, line in enumerate(lines)],
            [line + b",%d" % number for number, line in enumerate(lines)],
            [*lines[:place], b'"', *lines[place:]],
            [*lines[:place], b"", b",,,,", b"   ", *lines[place:]],
            [lines[0]],
            [],
        )
    )
    table.write_bytes(rng.choice((b"\n", b"\r\n", b"\r")).join(lines))


def _spoil_encoding(root: Path, rng: random.Random) -> None:
    table = _any_file(root, rng, *TABLES)
    content = table.read_bytes()
    text = content.decode("utf-8", errors="replace")
    table.write_bytes(
        rng.choice(
            (
                codecs.BOM_UTF8 + content,
                text.encode("utf-16"),
                text.encode("utf-16-be"),
                text.encode("utf-32"),
                codecs.BOM_UTF16_LE + content,
                content.replace(b",", b";").replace(b".", b","),
                content.replace(b",", b"|"),
                content.replace(b"a", b"\xe4"),
                content.replace(b"1", b"\0", 1),
                content.replace(b"\n", b"\n\r\n", 3),
                gzip.compress(content),
            )
        )
    )


def _flip_bytes(root: Path, rng: random.Random) -> None:
    file = _any_file(root, rng)
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        place = rng.randrange(min(len(content), rng.choice((352, 2000, len(content)))))
        content[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    file.write_bytes(content)


def _cut(root: Path, rng: random.Random) -> None:
    file = _any_file(root, rng)
    content = file.read_bytes()
    file.write_bytes(content[: rng.choice((0, 1, 100, 348, 352, len(content) // 2, len(content) - 1))])


def _lie_in_nifti(root: Path, rng: random.Random) -> None:
    file = _any_file(root, rng, ".nii", ".gz", ".hdr")
    packed = file.suffix == ".gz"
    content = bytearray(gzip.decompress(file.read_bytes()) if packed else file.read_bytes())
    place, width, values = rng.choice(
        (
            (40, 2, (0, 1, 7, 8, -1, 32767, 4)),
            (42, 2, (-1, 0, 32767)),
            (44, 2, (-32768, 1, 32767)),
            (46, 2, (-1, 0, 32767)),
            (48, 2, (2, 32767)),
            (70, 2, (0, 1, 16, 64, 128, 256, 1792, 9999, -1)),
            (76, 4, (-1, 0, 0x7FC00000, 0x7F800000)),
            (80, 12, (0, -1)),
            (108, 4, (0, -1, 0x7F000000, 0x7FC00000, 0x4F000000)),
            (112, 4, (0, 0x7FC00000, 0x7F7FFFFF, -1)),
            (252, 4, (0, -1, 0x00010001, 0x7FFF7FFF)),
            (280, 48, (0, -1)),
            (344, 4, (0, 0x00316E69, -1)),
            (0, 4, (0, 540, 348, -1)),
        )
    )
    value = rng.choice(values)
    content[place : place + width] = value.to_bytes(width, rng.choice(("little", "big")), signed=value < 0)
    dimensions = rng.random() < 0.2
    if dimensions:
        content[42:48] = (2000).to_bytes(2, "little") * 3
    file.write_bytes(gzip.compress(bytes(content), 1) if packed else content)


def _bomb(root: Path, rng: random.Random) -> None:
    file = _any_file(root, rng, ".nii", ".gz", ".png")
    header = bytearray(file.read_bytes()[:352])
    header[42:48] = (900).to_bytes(2, "little") * 3
    target = file.with_suffix("").with_suffix(".nii.gz")
    file.unlink()
    with gzip.open(target, "wb", 1) as stream:
        stream.write(header)
        for _ in range(rng.choice((1, 40))):
            stream.write(bytes(1 << 20))


def _lie_in_dicom(root: Path, rng: random.Random) -> None:
    files = [path for path in _files(root) if path.is_file() and path.suffix in (".dcm", "")]
    chosen = files if rng.random() < 0.5 else [rng.choice(files)]
    name, value = rng.choice(_DICOM_VALUES)
    for file in chosen:
        # an earlier mutation may have left nothing that pydicom can read or write: that file is bad enough
        with contextlib.suppress(Exception):
            _set_element(file, name, value)


_DICOM_VALUES: tuple[tuple[str, object], ...] = (
    *(("Rows", 65535), ("Columns", 65535), ("Rows", 0), ("NumberOfFrames", "2147483647"), ("NumberOfFrames", "-1")),
    *(("NumberOfFrames", "9" * 12), ("BitsAllocated", 64), ("SamplesPerPixel", 3), ("PixelSpacing", ["0", "0"])),
    *(("ImageOrientationPatient", ["0"] * 6), ("ImageOrientationPatient", ["1", "0"]), ("StudyDate", "99999999")),
    *(("PatientID", ""), ("PatientID", "a\\b"), ("PatientID", "../../x"), ("PatientID", "=1+1"), ("PatientID", "é\nü")),
    *(("SeriesInstanceUID", ""), ("SeriesInstanceUID", "1.2"), ("SOPInstanceUID", "1.2"), ("StudyInstanceUID", "")),
    *(("SeriesNumber", "99999999999"), ("EchoTime", "0"), ("SeriesDescription", "t1\x1b[31m\n=1"), ("Modality", "=MR")),
    *(
        ("Manufacturer", "=cmd|x"),
        ("Manufacturer", "K\xf6ln\x00\x1b"),
        ("MagneticFieldStrength", "-1"),
        ("PixelData", b""),
    ),
    *(("SpecificCharacterSet", "ISO_IR 999"), ("SpecificCharacterSet", "ISO 2022 IR 87"), ("deep", 1), ("deep", 2000)),
    *(("ImageType", ""), ("SliceThickness", "0"), ("ImagePositionPatient", ["nan"] * 3), ("ContrastBolusAgent", "\0")),
    *(
        ("PixelData", b"\xff" * 10),
        ("StudyTime", "x" * 60),
        ("ManufacturerModelName", "x" * 5000),
        ("RescaleSlope", "0"),
    ),
)


def _set_element(file: Path, name: str, value: object) -> None:
    image = pydicom.dcmread(file, force=True)
    if name == "deep":
        item = Dataset()
        for _ in range(int(str(value)) % 400):
            outer = Dataset()
            outer.ReferencedImageSequence = [item]
            item = outer
        image.ReferencedImageSequence = [item]
    else:
        image.add_new(name, pydicom.datadict.dictionary_VR(name), value)
    image.save_as(file)


def _rename(root: Path, rng: random.Random) -> None:
    place = _any_place(root, rng)
    ending = os.fsencode(place.suffix) if rng.random() < 0.6 else b""
    name = rng.choice((rng.choice(NAMES), os.fsencode(place.stem) + rng.choice(NAMES)[:10]))
    place.rename(place.parent / os.fsdecode(name[: 250 - len(ending)] + ending))


def _copy(root: Path, rng: random.Random) -> None:
    place, target = _any_place(root, rng), _any_place(root, rng)
    name = os.fsdecode(rng.choice(NAMES)) if rng.random() < 0.5 else place.name
    if place.is_dir() and not target.resolve().is_relative_to(place.resolve()):
        shutil.copytree(place, target.parent / name, symlinks=True)
    elif place.is_file() or place.is_symlink():  # devices never end
        shutil.copyfile(place, target.parent / name, follow_symlinks=False)


def _move(root: Path, rng: random.Random) -> None:
    place, target = _any_place(root, rng), _any_place(root, rng)
    place.rename((target if target.is_dir() else target.parent) / place.name)


def _remove(root: Path, rng: random.Random) -> None:
    place = _any_place(root, rng)
    shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()


def _swap_kind(root: Path, rng: random.Random) -> None:
    place = _any_place(root, rng)
    if place.is_dir():
        shutil.rmtree(place)
        place.write_bytes(b"x")
        return
    place.unlink()
    rng.choice((Path.mkdir, os.mkfifo))(place)


def _link(root: Path, rng: random.Random) -> None:
    place = _any_place(root, rng)
    targets = [
        "/etc",
        "/etc/passwd",
        "/proc/self",
        "/dev/zero",
        "/dev/null",
        place.name,
        "..",
        ".",
        str(root),
        "nowhere",
    ]
    targets += [str(root.parent / "outside"), str(root.parent / "outside" / "secret.nii"), str(_any_place(root, rng))]
    link = place if rng.random() < 0.5 else place.parent / rng.choice(["link", "link.nii", "link.csv", "zz.dcm"])
    if link == place:
        _remove_place(place)
    link.symlink_to(rng.choice(targets))


def _remove_place(place: Path) -> None:
    shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()


def _add_sidecar(root: Path, rng: random.Random) -> None:
    scan = _any_file(root, rng, ".nii", ".gz", ".json")
    scan.with_name(scan.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".json") + ".json").write_bytes(
        rng.choice(SIDECARS)
    )


MUTATIONS: tuple[Mutation, ...] = (
    *(_set_cells, _set_cells, _set_cells, _set_column, _spoil_lines, _spoil_lines, _spoil_encoding, _flip_bytes),
    *(_flip_bytes, _cut, _lie_in_nifti, _bomb, _lie_in_dicom, _lie_in_dicom, _rename, _rename, _copy, _move, _remove),
    *(_swap_kind, _link, _link, _add_sidecar),
)
