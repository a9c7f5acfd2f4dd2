import json
import pickle

import pytest

from airflow_provider_aep import errors
from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepAnswerError,
    AepApiError,
    AepAuthError,
    AepConfigError,
    AepConflictError,
    AepError,
    AepExportsError,
    AepNotFoundError,
    AepOvertakenError,
    AepPreconditionError,
    AepRateLimitError,
    AepRunFailedError,
    AepServerError,
    AepTooLargeError,
    AepTransportError,
    AepUnsafePlanError,
    AepUnseenError,
    AepValidationError,
    AepWriteRefusedError,
    Problem,
    error_from_json,
    error_to_json,
)

ANSWER = {
    "doing": "GET /flows",
    "status": 429,
    "message": "Too many requests",
    "code": "429050",
    "request_id": "aBc",
    "retry_after": 61.5,
    "hint": "Ask later.",
}
EXAMPLES = [
    AepError("something"),
    AepConfigError("login is missing"),
    AepValidationError("the name", [Problem("name", "is missing"), Problem("/path", "is odd")], "Mend it."),
    AepTransportError("no answer", sent=True),
    AepAnswerError("no list", sent=True),
    AepTooLargeError("too much", sent=True),
    *(
        kind(**ANSWER)
        for kind in (
            AepApiError,
            AepAuthError,
            AepNotFoundError,
            AepPreconditionError,
            AepRateLimitError,
            AepServerError,
        )
    ),
    AepNotFoundError(doing="GET /flows/1", status=404, message="gone"),
    AepAmbiguousNameError("two of them", ["1", "2"]),
    AepConflictError("it differs", ["1"]),
    AepUnseenError("it is not listed", ["1"]),
    AepOvertakenError("other writers were faster"),
    AepUnsafePlanError("it replaces something", {"steps": [{"action": "replace"}]}),
    AepExportsError("1 of 2 failed", {"one": "why"}, [{"name": "one", "created": []}]),
    AepWriteRefusedError("not sent", "prod", "production", "development"),
    AepRunFailedError("the run failed", {"status": "failed", "run_ids": ["1"], "errors": [{"code": "X"}]}),
]


def content(error):
    return type(error), str(error), error.args, vars(error)


def test_every_class_of_the_tree_has_an_example():
    classes = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AepError)
    }
    assert {type(error) for error in EXAMPLES} == classes


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_between_processes(error):
    assert content(pickle.loads(pickle.dumps(error))) == content(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_through_a_triggers_event(error):
    told = json.loads(json.dumps(error_to_json(error)))
    assert content(error_from_json(told)) == content(error)


def test_problems_survive_as_problems():
    error = error_from_json(json.loads(json.dumps(error_to_json(EXAMPLES[2]))))
    assert [problem.pointer for problem in error.problems] == ["name", "/path"]


@pytest.mark.parametrize("name", ["SystemExit", "Problem", "error_to_json", "no_such", None])
def test_a_class_that_is_not_an_error_of_ours_becomes_a_plain_one(name):
    error = error_from_json({"class": name, "args": ["told"]})
    assert (type(error), str(error)) == (AepError, "told")


def test_an_api_error_says_what_where_and_the_next_step():
    assert str(AepRateLimitError(**ANSWER)) == (
        "GET /flows answered 429, code 429050, request id aBc: Too many requests. Ask later."
    )


def test_a_validation_error_counts_and_lists_its_problems():
    assert str(EXAMPLES[2]) == "2 problems with the name: name is missing; /path is odd. Mend it."
    assert str(AepValidationError("the name", [Problem("name", "is missing")])) == (
        "1 problem with the name: name is missing."
    )


def test_one_except_clause_catches_everything_and_narrower_ones_less():
    assert all(isinstance(error, AepError) for error in EXAMPLES)
    answers = {type(error) for error in EXAMPLES if isinstance(error, AepApiError)}
    assert answers == {
        AepApiError,
        AepAuthError,
        AepNotFoundError,
        AepPreconditionError,
        AepRateLimitError,
        AepServerError,
    }
