"""The Markdown report: the same words and numbers as the page, and nothing in it is obeyed."""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cohortsmith.records import Rejection
from cohortsmith.reporting.blocks import Bullets, Code, Details, Paragraph, Picture, Section, Table
from cohortsmith.reporting.markdown import pictures_of, render_markdown, write_sections
from cohortsmith.reporting.outline import report_sections

HOSTILE = "<script>alert('x')</script> | [go](javascript:x) `code` *loud*\n# title"


def tokens(text: str) -> list:
    return [
        inner
        for token in MarkdownIt("commonmark").enable("table").parse(text)
        for inner in (token, *(token.children or ()))
    ]


def cells(text: str) -> list[str]:
    """What a reader sees in the tables: the text of every cell."""
    found = MarkdownIt("commonmark").enable("table").parse(text)
    return [
        "".join(child.content for child in after.children or ())
        for before, after in itertools.pairwise(found)
        if before.type in ("td_open", "th_open")
    ]


@pytest.fixture(scope="module")
def sections(study) -> list[Section]:
    return report_sections(study)


@pytest.fixture(scope="module")
def markdown(study, sections) -> str:
    return render_markdown(study, sections)


def test_every_section_of_the_page_is_there_in_its_order(markdown, sections):
    assert re.findall(r"^## (.+)$", markdown, re.M) == [section.title for section in sections]


def test_every_cell_of_every_table_of_the_page_is_there(markdown, sections):
    tables = [block for section in sections for block in section.blocks if isinstance(block, Table)]
    wanted = [cell for table in tables for row in table.rows for cell in row]

    assert len(wanted) > 100
    assert {" ".join(cell.split()) for cell in wanted} <= set(cells(markdown))


def test_every_picture_it_refers_to_is_handed_over(markdown, sections):
    named = re.findall(r"!\[.+\]\(pictures/(.+?)\)", markdown)

    assert len(named) == len(set(named)) > 5
    assert set(named) == set(pictures_of(sections))
    assert "arm_scores.png" in named


def test_prepared_scans_are_listed_with_their_numbers_in_place_of_their_pictures(markdown, study):
    worst = min(study.preparation.scans, key=lambda scan: (not scan.flag, scan.quality["template_correlation"]))

    row = next(line for line in markdown.splitlines() if line.startswith(f"| {worst.key} "))
    assert "| 14.20 |" in row
    assert worst.flag in row


def test_the_phantom_says_that_it_is_one_before_anything_else(markdown):
    assert markdown.index("say nothing about patients") < markdown.index("## ")


def test_what_is_folded_on_the_page_is_written_out():
    folded = Section("a", "A", [Details("More", [Bullets(["inner sentence"])])])

    assert "### More\n\n- inner sentence" in write_sections("title", [folded])


def test_code_is_set_off_and_kept_as_it_is():
    written = write_sections("title", [Section("a", "A", [Code("Type this.", "kedro run --env *x*")])])

    assert "    kedro run --env *x*" in written


def test_a_picture_without_a_name_is_numbered_within_its_section():
    picture = Picture(b"png", "alt", "caption")

    assert set(pictures_of([Section("a", "A", [picture, replace(picture, name="own"), picture])])) == {
        "a_1.png",
        "own.png",
        "a_3.png",
    }


def test_markup_in_any_text_is_shown_and_not_obeyed(study):
    hostile = replace(
        study,
        run=replace(study.run, study=HOSTILE, command=HOSTILE),
        rejections=(Rejection(HOSTILE, HOSTILE, HOSTILE),),
        methods=HOSTILE,
        citation=HOSTILE,
    )

    kinds = {token.type for token in tokens(render_markdown(hostile, report_sections(hostile)))}

    assert not kinds & {"html_block", "html_inline", "link_open", "code_inline"}


@given(st.text(max_size=40))
def test_any_text_survives_in_a_table_cell(text):
    table = Table("caption", ["name"], [[text]], [False])

    shown = cells(write_sections("title", [Section("a", "A", [table, Paragraph("end")])]))

    assert len(shown) == 2


def test_one_cell_stays_one_cell():
    table = Table("caption", ["a", "b"], [["x | y", "[a](b)"]], [False, True])

    assert cells(write_sections("t", [Section("a", "A", [table])])) == ["a", "b", "x | y", "[a](b)"]
