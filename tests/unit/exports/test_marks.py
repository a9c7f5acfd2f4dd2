"""A mark is found again wherever it was written, and says nothing that is secret."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_aep.exports.marks import described, export_key, make_mark, read_mark, text_of

OWNERS = st.from_regex(r"[A-Za-z0-9_.@-]{1,64}", fullmatch=True)
TEXTS = st.none() | st.text(max_size=60)
MARK = make_mark(owner="crm", name="nightly", content=["a"], login=["s3", "bucket"])


@settings(derandomize=True, database=None, deadline=None)
@given(owner=OWNERS, name=st.text(min_size=1), text=TEXTS)
def test_a_mark_is_read_as_it_was_written(owner, name, text):
    mark = make_mark(owner=owner, name=name, content={"of": name}, login=[owner])
    entity = {"description": described(text, mark)}
    assert read_mark(entity) == mark
    assert text_of(entity) == (text or "").strip()
    assert mark.export == export_key(owner, name)


@pytest.mark.parametrize("entity", [{}, {"description": None}, {"description": ""}, {"description": 5}])
def test_what_has_no_mark_is_not_ours(entity):
    assert read_mark(entity) is None
    assert text_of(entity) == str(entity.get("description") or "")


@pytest.mark.parametrize(
    "spoilt",
    [
        str(MARK)[:-1],
        str(MARK).replace(" of ", " "),
        "aep-export of crm",
    ],
)
def test_half_a_mark_is_none(spoilt):
    assert read_mark({"description": spoilt}) is None


def test_a_mark_survives_a_change_of_letter_case():
    assert read_mark({"description": str(MARK).upper()}) == MARK


def test_the_last_mark_counts():
    """Whoever copies a description into a spec has an old mark in the text."""
    old = make_mark(owner="loyalty", name="x", content=1, login=1)
    entity = {"description": described(described("text", old), MARK)}
    assert read_mark(entity) == MARK
    assert text_of(entity) == f"text ({old})"


def test_exports_of_other_names_or_owners_have_other_keys():
    keys = {export_key(owner, name) for owner, name in (("a", "b"), ("a", "c"), ("ab", ""), ("b", "a"))}
    assert len(keys) == 4


def test_a_mark_tells_what_changed():
    def made(content="c", login="l"):
        return make_mark(owner="crm", name="n", content=content, login=login)

    assert made() == made()
    assert made(content="d").content != made().content
    assert made(content="d").login == made().login
    assert made(login="m").login != made().login
    assert {made().export} == {made(content="d", login="m").export}


def test_a_mark_has_no_character_that_means_something_in_a_filter():
    assert not set(str(MARK)) & set(",=<>~!&?[]()\"'")


def test_a_description_of_blanks_is_read_in_no_time():
    text = f"from{' ' * 20_000}here"
    began = time.process_time()
    assert text_of({"description": described(described(text, MARK), MARK)}) == text
    assert time.process_time() - began < 0.5
