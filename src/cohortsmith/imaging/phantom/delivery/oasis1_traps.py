"""What OASIS-1 delivers beside one session per person, and what must become of it."""

from cohortsmith.imaging.phantom.delivery.oasis1 import OasisSession
from cohortsmith.imaging.phantom.delivery.traps import Decision, Expected, Trap, convert, reject


def _trap(name: str, lesson: str, sessions: dict[OasisSession, Expected]) -> Trap:
    decisions = tuple(Decision(session.identifier, *wanted) for session, wanted in sessions.items())
    return Trap(name, lesson, tuple(sessions), decisions)


def _taken(diagnosis: str) -> Expected:
    return convert("oasis1.first_session", "M000", diagnosis)


FIRST_SESSION = _trap(
    "a person's first session",
    "the average of its scans is taken",
    {OasisSession("OAS1_9001_MR1"): _taken("CN")},
)
RESCAN = _trap(
    "a second session a few days later",
    "MR2 is set aside",
    {
        OasisSession("OAS1_9002_MR1"): _taken("CN"),
        OasisSession("OAS1_9002_MR2", cdr=None, mmse=None): reject("oasis1.rescan"),
    },
)
HALF_A_POINT = _trap(
    "a CDR of 0.5 and of 1.0",
    "every CDR above 0 is AD, whole number or not",
    {
        OasisSession("OAS1_9003_MR1", cdr=0.5, mmse=25): _taken("AD"),
        OasisSession("OAS1_9004_MR1", cdr=1.0, mmse=21): _taken("AD"),
    },
)
UNRATED = _trap(
    "no CDR",
    "a young person without a rating has no diagnosis",
    {OasisSession("OAS1_9005_MR1", age=24, cdr=None, mmse=None): _taken("n/a")},
)
FOLDER_WITHOUT_ROW = _trap(
    "a folder that no row names",
    "nothing is known of the person: there is no diagnosis",
    {OasisSession("OAS1_9006_MR1", listed=False): _taken("n/a")},
)

OASIS1_TRAPS = tuple(trap for trap in list(globals().values()) if isinstance(trap, Trap))
