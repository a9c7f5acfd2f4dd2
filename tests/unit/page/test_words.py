"""The page tells spans as the command line, the alerts and the docs do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import airflow_provider_aep.page
from airflow_provider_aep.times import span_words

WORDS = Path(airflow_provider_aep.page.__file__).with_name("www") / "words.js"
NODE = shutil.which("node")
SPANS = [
    *(
        0,
        0.004,
        0.534,
        0.994,
        0.996,
        1,
        1.4,
        45,
        59.6,
        60,
        61,
        90,
        119.4,
        119.6,
        120,
        149,
        150,
        151,
        210,
        270,
    ),
    *(3480, 3599, 3600, 3725, 82_620, 86_369, 86_370, 86_399, 86_400, 90_000, 91_800, 273_600, 604_799),
    *(604_800, 648_000, 734_400, 2_592_000, 12_345_678),
]
SCRIPT = """
import { duration } from %s;
console.log(JSON.stringify(%s.map(duration)));
"""


@pytest.mark.skipif(NODE is None, reason="no node is on PATH")
def test_a_span_reads_on_the_page_as_everywhere_else():
    source = "data:text/javascript," + "".join(f"%{byte:02x}" for byte in WORDS.read_bytes())
    done = subprocess.run(
        [str(NODE), "--input-type=module", "-e", SCRIPT % (json.dumps(source), json.dumps(SPANS))],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = dict(zip(SPANS, json.loads(done.stdout), strict=True))
    assert told == {span: span_words(span) for span in SPANS}
    assert told[82_620] == "22 hours 57 minutes"


def test_just_below_a_second_is_no_plural_of_one():
    assert span_words(0.999) == "1 second"
    assert span_words(0.99) == "0.99 seconds"
