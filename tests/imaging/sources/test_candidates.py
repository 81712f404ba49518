from pathlib import Path

import pytest

from cohortsmith.imaging.sources.candidates import candidate_name, require_inside
from cohortsmith.imaging.sources.clinical_table import UnusableValue


def test_a_name_depends_on_the_place_alone() -> None:
    # First 12 hexadecimal digits of the SHA-256 of "a/b.nii".
    assert candidate_name("a/b.nii") == candidate_name(Path("a") / "b.nii") == "ea86cf240fc2"
    assert candidate_name("a/c.nii") != candidate_name("a/b.nii")


@pytest.mark.parametrize("place", ["../x.nii", "a/../../x.nii", "/etc/passwd", "a\0b"])
def test_a_place_outside_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(UnusableValue) as caught:
        require_inside(tmp_path, place)
    assert caught.value.rule == "files.outside" and place not in str(caught.value)


def test_a_link_may_lead_anywhere_inside_but_not_out(tmp_path: Path) -> None:
    root, outside = tmp_path / "study", tmp_path / "secret.nii"
    root.mkdir()
    outside.write_text("x")
    (root / "scan.nii").write_text("x")
    (root / "good.nii").symlink_to(root / "scan.nii")
    (root / "bad.nii").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)

    assert require_inside(root, "good.nii") == root / "good.nii"
    with pytest.raises(UnusableValue, match="symbolic link"):
        require_inside(root, "bad.nii")
    with pytest.raises(UnusableValue, match="symbolic link"):
        require_inside(root, "folder/secret.nii")


def test_a_root_that_is_itself_a_link_is_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "study").symlink_to(tmp_path / "disk")

    assert require_inside(tmp_path / "study", "a.nii") == tmp_path / "study" / "a.nii"
