import pytest

from airflow_provider_aep.errors import AepError, AepTransportError, AepValidationError
from airflow_provider_aep.flowservice.datasets import Dataset, list_datasets


def test_all_datasets_are_listed_across_pages(emulator, run):
    for number in range(230):
        emulator.add_dataset(f"Extra {number}")
    found = run(list_datasets())
    assert [dataset.id for dataset in found] == [dataset.id for dataset in emulator.datasets()]
    assert [dict(request.query)["start"] for request in emulator.requests("GET", "/connectionSpecs/*")] == [
        "0",
        "100",
        "200",
    ]


def test_a_part_of_the_name_finds_datasets_in_any_letter_case(run):
    assert [dataset.name for dataset in run(list_datasets(name_contains="LOYAL"))] == ["Loyalty Profiles"]
    assert run(list_datasets(name_contains="nothing of that name")) == []


def test_datasets_are_those_of_the_sandbox(run, emulator):
    run.sandbox = "dev"
    assert [each.id for each in run(list_datasets())] == [each.id for each in emulator.datasets("dev")]


def test_an_answer_without_page_info_is_the_last_page(run, emulator):
    emulator.fail_next(200, body={"items": [{"id": "5ef3", "tags": {}}]})
    (dataset,) = run(list_datasets())
    assert dataset.to_json() == {"id": "5ef3", "name": "5ef3", "description": None}


@pytest.mark.parametrize("body", [{"items": []}, {"items": [], "pageInfo": {"hasNext": True}}])
def test_an_empty_page_is_the_end_whatever_it_says(run, emulator, body):
    emulator.fail_next(200, body=body)
    assert run(list_datasets()) == []


def test_bulk_stays_out_of_repr_and_comparison():
    one, other = (Dataset.from_api({"id": "1", "name": "n", "tags": tag}) for tag in ("a", "b"))
    assert one == other
    assert "tags" not in repr(one)


def test_an_error_in_the_middle_is_no_shorter_list(run, emulator):
    emulator.fail_next(500, times=9)
    with pytest.raises(AepError):
        run(list_datasets())


@pytest.mark.parametrize(
    "body", [{}, {"items": None}, {"items": {"id": 1}}, {"items": [None]}, {"items": [{"name": "x"}]}]
)
def test_an_answer_that_is_no_list_of_datasets_counts_as_no_answer(run, emulator, body):
    emulator.fail_next(200, body=body)
    with pytest.raises(AepTransportError, match=r"GET /connectionSpecs/.*: the response holds no list"):
        run(list_datasets())


def test_a_page_info_that_cannot_be_read_is_none(run, emulator):
    emulator.fail_next(200, body={"items": [{"id": "1"}], "pageInfo": "text"})
    assert [dataset.id for dataset in run(list_datasets())] == ["1"]


def test_a_page_that_comes_again_for_ever_is_an_error(run, emulator):
    emulator.fail_next(200, times=9, body={"items": [{"id": "1"}], "pageInfo": {"hasNext": True}})
    with pytest.raises(AepError, match="the same datasets again"):
        run(list_datasets())
    assert len(emulator.requests("GET", "/connectionSpecs/*")) == 2


def test_a_part_of_the_name_may_be_rendered_to_a_number(run, emulator):
    emulator.add_dataset("Orders 2024")
    assert [dataset.name for dataset in run(list_datasets(name_contains=2024))] == ["Orders 2024"]
    assert run(list_datasets(name_contains=0)) != run(list_datasets())


@pytest.mark.parametrize("part", [["x"], {"a": 1}, True])
def test_a_part_of_the_name_must_be_a_text(run, emulator, part):
    with pytest.raises(AepValidationError, match="name_contains must be a text"):
        run(list_datasets(name_contains=part))
    assert emulator.log == []
