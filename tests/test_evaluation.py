"""The evaluation against public sets runs on files of their form."""

import json
from datetime import datetime, timedelta

import pytest

from benchmarks.evaluate_grouping import RULES, loghub
from benchmarks.evaluate_insight import nab

LOG = """LineId,Date,Content,EventId,EventTemplate
1,1,"Connection from 10.0.0.1 closed",E1,Connection from <*> closed
2,1,"Connection from 10.0.0.2 closed",E1,Connection from <*> closed
3,1,"disk full",E2,disk full
4,1,"Connection from 10.0.0.3 closed",E1,Connection from <*> closed
"""


@pytest.mark.parametrize("rules", RULES)
def test_a_log_of_loghub_is_judged_line_by_line(tmp_path, rules):
    file = tmp_path / "Gate_2k.log_structured.csv"
    file.write_text(LOG)
    assert loghub(RULES[rules], file) == (1.0, 0.0)
    assert loghub(lambda _: "one group", file) == (0.0, 0.5), "a new kind that is hidden in another is counted"


def test_a_series_of_nab_is_judged_by_its_windows(tmp_path):
    begin = datetime(2015, 3, 1)
    hours = [begin + timedelta(hours=n) for n in range(24 * 40)]
    burst = hours[24 * 30]
    series = tmp_path / "data" / "realTweets" / "Twitter_volume_GATE.csv"
    series.parent.mkdir(parents=True)
    rows = [f"{hour:%Y-%m-%d %H:%M:%S},{400 if hour == burst else 10 + n % 3}\n" for n, hour in enumerate(hours)]
    series.write_text("timestamp,value\n" + "".join(rows))
    span = [f"{burst + timedelta(hours=h):%Y-%m-%d %H:%M:%S}.000000" for h in (-2, 2)]
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps({f"realTweets/{series.name}": [span]}))
    assert [figure for _, figure, _ in nab(tmp_path)] == [1.0, 0.0]
    (tmp_path / "labels" / "combined_windows.json").write_text(
        json.dumps({f"realTweets/{series.name}": [[f"{hours[n]:%Y-%m-%d %H:%M:%S}.000000" for n in (700, 710)]]})
    )
    recall, false = (figure for _, figure, _ in nab(tmp_path))
    assert (recall, round(false * 40)) == (0.0, 1)
