"""What the user reads when something is wrong: what, where, got, expected, what to do."""

_LONGEST = 1000


class CohortsmithError(Exception):
    """Stop the run with one clear message and a truthful exit code."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", got: str = "", expected: str = "", remedy: str = "") -> None:
        self.what, self.where, self.got, self.expected, self.remedy = what, where, got, expected, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [
            ("where", self.where),
            ("got", self.got),
            ("expected", self.expected),
            ("what to do", self.remedy),
        ]
        return "\n".join([_shown(self.what), *(f"  {name}: {_shown(text)}" for name, text in parts if text)])

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip back from a worker process with every field."""
        return (_rebuild, (type(self), self.what, self.where, self.got, self.expected, self.remedy))


def _shown(text: str) -> str:
    # What stands in files and tables may be anything: escape sequences of terminals, half a character, a megabyte.
    printable = "".join(mark if mark.isprintable() or mark == "\n" else "?" for mark in text[: _LONGEST + 1])
    return printable if len(printable) <= _LONGEST else f"{printable[:_LONGEST]} ..."


def _rebuild(
    kind: type[CohortsmithError], what: str, where: str, got: str, expected: str, remedy: str
) -> CohortsmithError:
    return kind(what, where=where, got=got, expected=expected, remedy=remedy)


class ConfigurationError(CohortsmithError):
    """The configuration, or what it points at, cannot be used: nothing has been started."""

    exit_code = 2


class StudyError(CohortsmithError):
    """The study as a whole cannot be used (too few subjects of a class, duplicated ids, wrong columns)."""

    exit_code = 2


class LeakageError(CohortsmithError):
    """A subject sits on both sides of a split, or a generator saw a validation or test subject."""

    exit_code = 3


class TrainingError(CohortsmithError):
    """Training diverged beyond the allowed retries."""

    exit_code = 4


class ScanRejected(CohortsmithError):
    """One scan is set aside with its reason; the others go on."""
