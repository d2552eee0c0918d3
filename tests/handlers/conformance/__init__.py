"""What every handler of this package must do: a list of cases, each with the sentence that explains it.

In the manner of Go's ``testing/slogtest``. A test module of a handler runs them all::

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_conformance(case, tmp_path):
        case.run(lambda: JsonFileHandler(tmp_path / "details.jsonl"))

The factory gives a new handler whose files are its test's own; each handler it gives is closed by the case. It
acts on errors that are a ``ConnectionRefusedError``.
"""

from tests.handlers.conformance import ends, harms, records
from tests.handlers.conformance.case import CASES, Case, CountingHandler

__all__ = ["CASES", "Case", "CountingHandler", "ends", "harms", "records"]
