"""Names, tables and headers are those of the archives."""

import io
from datetime import date, datetime

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest

from cohortsmith.imaging.phantom.delivery import adni, adni_traps, aibl, aibl_traps, dicom, oasis1
from cohortsmith.imaging.phantom.delivery.dicom_traps import SENT_TWICE, SPLIT, study_files
from cohortsmith.imaging.volume import Volume

SPECK = Volume(np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.diag([2.0, 3.0, 4.0, 1.0]))
(SUBJECT,) = adni_traps.N3_AND_SCALED.subjects


def table(files: dict[str, bytes], name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(files[f"tables/{name}.csv"]), dtype=str)


@pytest.mark.parametrize(
    ("interface", "names"),
    [
        ("until_2024", {"ADNIMERGE", "MAYOADIRL_MRI_IMAGEQC_12_08_15", "DXSUM_PDXCONV_ADNIALL"}),
        ("since_2024", {"ADNIMERGE_03Jun2025", "MAYOADIRL_MRI_IMAGEQC_05_07_15_03Jun2025", "DXSUM_03Jun2025"}),
    ],
)
def test_tables_of_adni_are_called_as_the_interface_of_their_time_calls_them(interface, names):
    files = adni.tables([SUBJECT], interface)

    assert {f"tables/{name}.csv" for name in names} <= set(files)
    assert len(files) == 7


def test_rows_of_adni_say_what_the_images_are():
    meta = table(adni.tables([SUBJECT]), "MPRAGEMETA")

    assert meta["SubjectID"].unique() == ["909_S_9908"]
    assert meta["Sequence"].to_list() == [adni.SCALED, adni.N3]
    assert meta["Orig/Proc"].to_list() == ["Processed", "Processed"]
    assert (meta["ScanDate"] == "2006-03-06").all()


def test_a_genotype_is_one_value_in_new_tables_and_two_in_old_ones():
    assert table(adni.tables([SUBJECT], "since_2024"), "APOERES_03Jun2025")["GENOTYPE"].to_list() == ["3/3"]
    assert {"APGEN1", "APGEN2"} <= set(table(adni.tables([SUBJECT]), "APOERES"))


@pytest.mark.parametrize(("interface", "last"), [("until_2024", "S990805"), ("since_2024", "I990802")])
def test_a_processed_image_of_adni_lies_where_the_archive_puts_it(interface, last):
    (name,) = adni.image_files(SUBJECT, SUBJECT.images[1], SPECK, interface)

    assert name.startswith(
        f"ADNI/909_S_9908/MPR__GradWarp__B1_Correction__N3/2006-03-06_09_00_00.0/{last}/ADNI_909_S_9908_MR_"
    )
    assert name.endswith("_S990805_I990802.nii")


def test_an_original_of_adni_is_one_file_per_slice_each_with_its_own_name():
    subject = adni_traps.ONLY_RAW.subjects[0]
    files = adni.image_files(subject, subject.images[0], SPECK)

    assert len(files) == SPECK.data.shape[2]
    assert {name.rsplit("_", 1)[1] for name in files} == {"I991201.dcm"}


def test_what_was_not_delivered_has_no_file():
    subject = adni_traps.ROW_WITHOUT_FOLDER.subjects[0]

    assert adni.image_files(subject, subject.images[0], SPECK) == {}


def test_unknown_values_of_aibl_are_minus_four():
    files = aibl.tables(aibl_traps.NOTHING_KNOWN.subjects)

    assert table(files, "aibl_pdxconv_01Jun2018")["DXCURREN"].to_list() == ["-4"]
    assert table(files, "aibl_ptdemog_01Jun2018")[["PTDOB", "PTGENDER"]].iloc[0].to_list() == ["-4", "-4"]


def test_scans_of_aibl_are_listed_by_field_strength_and_birth_by_its_year():
    files = aibl.tables(aibl_traps.OTHER_FIELD_TABLE.subjects)

    assert len(table(files, "aibl_mrimeta_01Jun2018")) == 1
    assert len(table(files, "aibl_mri3meta_01Jun2018")) == 0
    assert table(files, "aibl_ptdemog_01Jun2018")["PTDOB"].to_list() == ["/1936"]


def test_a_folder_of_aibl_says_person_sequence_day_and_image():
    files = aibl.image_files(aibl.Subject("9001", (), ()), aibl.Image(7, date(2008, 3, 6)), SPECK)

    assert {name.rsplit("/", 1)[0] for name in files} == {"AIBL/9001/MPRAGE_ADNI_confirmed/2008-03-06_09_00_00.0/I7"}


def test_an_analyze_pair_has_the_grid_of_oasis_and_no_orientation():
    files = oasis1.session_files(oasis1.OasisSession("OAS1_9001_MR1"), SPECK)
    header = nib.AnalyzeHeader.from_fileobj(
        io.BytesIO(next(file for name, file in files.items() if name[-3:] == "hdr"))
    )

    assert header.get_data_shape() == (256, 256, 160, 1)
    assert header.get_zooms()[:3] == (1, 1, 1)
    assert header.get_data_dtype() == np.dtype(">i2")
    assert len(next(file for name, file in files.items() if name[-3:] == "img")) == 256 * 256 * 160 * 2


def test_a_series_gives_its_voxels_and_their_place_slice_by_slice():
    """Patient coordinates of DICOM run to the left and to the back, those of NIfTI to the right and to the front."""
    series = dicom.Series("PHANTOM001", datetime(2019, 5, 6, 9), 3, "T1 MPRAGE")
    slices = [pydicom.dcmread(io.BytesIO(content)) for content in dicom.series_files(series, SPECK)]

    np.testing.assert_array_equal(np.stack([one.pixel_array.T for one in slices], axis=2), SPECK.data)
    assert [list(one.ImagePositionPatient) for one in slices] == [[0, 0, 4 * index] for index in range(4)]
    assert list(slices[0].ImageOrientationPatient) == [-1, 0, 0, 0, -1, 0]
    assert list(slices[0].PixelSpacing) == [3, 2]
    assert len({one.SOPInstanceUID for one in slices}) == 4
    assert len({one.SeriesInstanceUID for one in slices}) == 1


def test_two_series_of_a_study_share_it_and_nothing_else():
    one = dicom.Series("PHANTOM001", datetime(2019, 5, 6, 9), 3, "T1 MPRAGE")
    other = one._replace(number=4)

    assert one.study_uid() == other.study_uid()
    assert one.series_uid() != other.series_uid()


def test_copies_share_their_identifiers_and_a_split_series_its_own():
    twice, split = study_files(SENT_TWICE), study_files(SPLIT)

    assert len(twice) == 80 and len(set(twice.values())) == 40
    assert {name.split("/")[1] for name in split} == {"ST000001", "ST000002"}
