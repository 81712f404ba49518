from cohortsmith.config.generator import RHVAEConfig
from cohortsmith.fingerprints import file_fingerprint, fingerprint


def test_the_same_parts_give_the_same_hash_and_any_change_another():
    assert fingerprint("a", [1, 2.0]) == fingerprint("a", [1, 2.0])
    assert fingerprint("a", [1, 2.0]) != fingerprint("a", [1, 2.1])


def test_a_changed_setting_changes_the_hash():
    assert fingerprint(RHVAEConfig()) != fingerprint(RHVAEConfig(latent_dim=3))


def test_a_file_is_known_by_its_content_not_its_name(tmp_path):
    (tmp_path / "a").write_text("scan")
    (tmp_path / "b").write_text("scan")

    assert file_fingerprint(tmp_path / "a") == file_fingerprint(tmp_path / "b")
