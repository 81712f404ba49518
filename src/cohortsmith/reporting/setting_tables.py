"""Results of several settings (a training set with a kind of network) are shown one after the other, never mixed."""

import pandas as pd

from cohortsmith.evaluation.settings import Setting, settings_of


def by_setting(table: pd.DataFrame) -> dict[Setting, pd.DataFrame]:
    """Give each setting's rows, without its columns, in the order of the table."""
    return dict(settings_of(table))


def rows_of(table: pd.DataFrame | None, setting: Setting) -> pd.DataFrame | None:
    """Give one setting's rows; nothing where there is no table or no such row."""
    return None if table is None else by_setting(table).get(setting)


def without_setting(table: pd.DataFrame) -> pd.DataFrame:
    """Leave the setting's columns out where all rows are of the same one."""
    return table if len(by_setting(table)) > 1 else table.drop(columns=list(Setting._fields), errors="ignore")


def worded(setting: Setting) -> str:
    """Name the setting; nothing where a study has only one and does not name it."""
    return str(setting) if setting.training_set else ""
