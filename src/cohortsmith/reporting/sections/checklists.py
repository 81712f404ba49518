"""What reporting guidelines ask for, and where this report answers; what a run cannot know stays open."""

from collections.abc import Mapping, Sequence

from cohortsmith.reporting.blocks import Block, Details, Paragraph, Section, Table
from cohortsmith.reporting.checklists.claim import CLAIM
from cohortsmith.reporting.checklists.items import Checklist
from cohortsmith.reporting.checklists.known import Answer, what_is_known
from cohortsmith.reporting.checklists.tripod_ai import TRIPOD_AI
from cohortsmith.reporting.content import ReportContent

NOT_REPORTED = "not reported"
_EXPLAINED = (
    "Filled from this run's configuration and results. The questions are shortened: the published lists count. "
    "Answers are drafts for the authors; what a run cannot know is marked 'not reported' and is theirs to write."
)


def checklists_section(content: ReportContent, others: Sequence[Section]) -> Section:
    """Fill the checklists with what the run knows, and name the one of the other sections that says more."""
    known = what_is_known(content)
    if not known:
        absent = Paragraph("The configuration of this run was not handed to the report.", "absent")
        return Section("checklists", "Reporting checklists", [absent])
    titles = {section.anchor: section.title for section in others}
    lists: list[Block] = [_filled(checklist, known, titles) for checklist in (CLAIM, TRIPOD_AI)]
    return Section("checklists", "Reporting checklists", [Paragraph(_EXPLAINED), *lists])


def _filled(checklist: Checklist, known: Mapping[str, Answer], titles: Mapping[str, str]) -> Details:
    answers = [known.get(item.known_as) for item in checklist.items]
    rows = [
        [
            item.number,
            item.asks,
            answer.text if answer else NOT_REPORTED,
            titles.get(answer.anchor, "") if answer else "",
        ]
        for item, answer in zip(checklist.items, answers, strict=True)
    ]
    answered = sum(answer is not None for answer in answers)
    return Details(
        f"{checklist.name}: {answered} of {len(rows)} questions answered by the run",
        [Table(checklist.source, ["item", "asks for", "this run", "more in"], rows, [False] * 4)],
    )
