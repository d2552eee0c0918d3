"""Look ahead: what the probes of procedures see where the error that they are for is likely back."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visigate_logging.detail.record import CACHED_AS, ErrorDetail
from visigate_logging.health.findings import Finding, Subject
from visigate_logging.health.host import runners
from visigate_logging.store.store import ErrorStore

if TYPE_CHECKING:
    from visigate_logging.handlers.recovery import RecoveryHandler
    from visigate_logging.recovery.runner import Runner


def ahead(subject: Subject) -> Iterator[Finding]:
    """Have the steps that only look of procedures with ``before`` look, where an open group is likely back."""
    from visigate_logging.handlers.json_file import JsonFileHandler
    from visigate_logging.handlers.recovery import RecoveryHandler

    logs = [Path(made.given["filename"]) for made in subject.objects if made.makes(JsonFileHandler)]
    made_of = [made for made in subject.objects if made.makes(RecoveryHandler)]
    asked = [
        (made, runner)
        for made, runner in zip(made_of, runners(made_of), strict=True)
        if any(procedure.before for procedure in runner.procedures.values())
    ]
    if not asked or not logs or not logs[0].exists():
        return
    with ErrorStore(logs[0]) as store:
        open_ = [f for f in store.forecast() if store.state(f["key"]).name == "open"]
        likely = [(forecast, record) for forecast in open_ for record in store.recent(1, group=forecast["key"])]
    for made, runner in asked:
        handler = made.factory(**{p.name: value for p, value in made.arguments()})
        for forecast, record in likely:
            yield from _seen(handler, runner, forecast, record)
        runner.close()


def _seen(
    handler: "RecoveryHandler", runner: "Runner", forecast: Mapping[str, Any], detail: ErrorDetail
) -> Iterator[Finding]:
    """Yield what the procedure sees that an error calls for, if its forecast calls for a look."""
    from visigate_logging.handlers.recovery import context_of

    values = {"name": detail.logger, "levelname": detail.level, "msg": detail.message, CACHED_AS: detail.to_dict()}
    record = logging.makeLogRecord(values)
    procedure, codes = handler.procedure_for(record) or (None, {})
    if procedure is None or procedure.before is None or forecast["probability"] < procedure.before.probability:
        return
    outcome = runner.look_ahead(procedure, context_of(record, procedure, codes))
    likely = f"likely back within {forecast['within_days']} days ({forecast['probability']:.0%})"
    text = f"{forecast['title']}: {likely}; {outcome.message}"
    cure = f"Mend it before it comes back: visigate-errors groups {forecast['key']}"
    yield Finding("ahead", bool(outcome.details.get("well")), text, cure)
