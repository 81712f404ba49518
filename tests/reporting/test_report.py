"""The report: one file, everything in it, nothing believed that came from outside, and silence is explained."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from cohortsmith.records import Rejection
from cohortsmith.reporting.content import Preparation, ReportContent
from cohortsmith.reporting.report import render_quality_page, render_report

SECTIONS = (
    *("verdict", "tables", "cohort", "preparation", "generators", "copies", "anatomy"),
    *("limits", "methods", "provenance", "checklists"),
)
HOSTILE = "<script>alert('x')</script>"


class Loads(HTMLParser):
    """Whatever a browser would fetch or run, and pictures that say nothing to the blind."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [value for name in ("src", "href", "srcset", "data", "action") if (value := given.get(name))]
        self.silent += tag == "img" and not given.get("alt")


def parsed(html: str) -> Loads:
    loads = Loads()
    loads.feed(html)
    return loads


@pytest.fixture(scope="module")
def html(study) -> str:
    return render_report(study)


class TestSelfContained:
    @pytest.mark.parametrize("render", [render_report, render_quality_page])
    def test_nothing_is_loaded_from_anywhere(self, study, render):
        page = render(study)

        loads = parsed(page)
        assert [one for one in loads.addresses if not one.startswith(("data:image/png;base64,", "#"))] == []
        assert not {"script", "link", "iframe", "object"} & set(loads.tags)
        assert not re.search(r"@import|url\(", page)

    def test_every_picture_has_words_for_who_cannot_see_it(self, html):
        assert parsed(html).tags.count("img") > 10
        assert parsed(html).silent == 0

    def test_every_link_of_the_contents_leads_to_a_section(self, html):
        links = [one[1:] for one in parsed(html).addresses if one.startswith("#")]

        assert links == re.findall(r'<section id="(\w+)">', html)

    def test_equal_content_gives_an_equal_page(self, study, html):
        assert render_report(study) == html


class TestSections:
    def test_all_are_there_the_verdict_first(self, html):
        assert tuple(re.findall(r'<section id="(\w+)">', html)) == SECTIONS

    def test_the_phantom_says_that_it_is_one_before_anything_else(self, html, nothing):
        assert html.index("say nothing about patients") < html.index("<h1>")
        assert "about patients" not in render_report(nothing)

    def test_the_verdict_of_the_enlarged_arm_opens_the_report(self, html, study):
        first = next(one.sentence for one in study.judgement.verdicts if one.arm == "real+synthetic")

        assert html.index(first[1:]) < html.index("The other arms")

    def test_the_command_seed_versions_and_timings_are_told(self, html):
        for text in ("kedro run --env base", "seed 1", "antspyx", "0.6.3", "5 min 12 s"):
            assert text in html

    def test_works_are_listed_when_the_methods_name_them(self, nothing, html):
        slices = render_report(replace(nothing, methods="Slices (Chadebec et al. 2023)."))

        assert "N4ITK" in html
        assert "N4ITK" not in slices
        assert "TPAMI.2022.3185773" in slices

    def test_rejected_scans_are_listed_with_their_reason(self, html):
        assert "sub-044_ses-M012" in html
        assert "no T1w series in this visit" in html


class TestAbsentData:
    def test_a_run_without_anything_still_explains_itself(self, nothing):
        page = render_report(nothing)

        assert "Six subjects cannot be split" in page
        assert page.count('class="absent"') >= 7
        assert "None" not in page
        assert ">nan" not in page

    def test_one_seed_and_no_differences_are_shown_without_an_error(self, study):
        arms = study.judgement.arms.assign(n_seeds=1, balanced_accuracy_sd=np.nan, low=np.nan, high=np.nan)
        alone = replace(study.judgement, arms=arms, differences=study.judgement.differences.iloc[:0], verdicts=[])

        page = render_report(ReportContent(study.run, judgement=alone))

        assert "No arm could be compared" in page
        assert ">nan" not in page

    def test_slices_show_their_one_plane(self, nothing, slices):
        assert "AD: the first 5 training scans" in render_report(replace(nothing, generators=(slices,)))

    def test_a_generator_without_samples_says_so(self, study):
        bare = replace(
            study.generators[0], synthetic=None, history=pd.DataFrame(), neighbours=(), diagnostics={}, copy_screen=""
        )

        page = render_report(ReportContent(study.run, generators=(bare,)))

        for text in (
            "No synthetic scans of CN",
            "No training curves",
            "No chains were run",
            "No synthetic scans were compared",
        ):
            assert text in page


class TestHostileText:
    def test_markup_in_any_text_is_shown_and_not_obeyed(self, study):
        scans = [replace(study.preparation.scans[0], key=HOSTILE, flag=HOSTILE, quality={HOSTILE: 1.0})]
        content = replace(
            study,
            run=replace(study.run, study=HOSTILE, command=HOSTILE, versions={HOSTILE: HOSTILE}, date=HOSTILE),
            cohort=pd.DataFrame({HOSTILE: [HOSTILE]}),
            rejections=(Rejection(HOSTILE, HOSTILE, HOSTILE),),
            preparation=Preparation(scans, study.preparation.template),
            generators=(replace(study.generators[0], label=HOSTILE, copy_screen=HOSTILE),),
            phantom_check=pd.DataFrame({"group": [HOSTILE]}),
            timings={HOSTILE: 1.0},
            methods=HOSTILE,
            limits=(HOSTILE,),
            citation=HOSTILE,
        )

        pages = render_report(content) + render_quality_page(content)

        assert "<script" not in pages
        assert "&lt;script&gt;" in pages
        assert "script" not in parsed(pages).tags


class TestQualityPage:
    def test_every_scan_is_on_it_and_only_the_worst_are_in_the_report(self, study, html):
        def keys(page: str) -> list[str]:
            return re.findall(r"<strong>(sub-[^<]+)</strong>", page)

        everyone = keys(render_quality_page(study))

        assert sorted(everyone) == sorted(scan.key for scan in study.preparation.scans)
        assert keys(html) == everyone[:12]
