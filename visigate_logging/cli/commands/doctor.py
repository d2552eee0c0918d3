"""Look at all that errors depend on, and say what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from visigate_logging.cli.arguments import CONFIG, JSON, Args, argument
from visigate_logging.cli.output import answer, painted, paragraph
from visigate_logging.health.checks import diagnose
from visigate_logging.health.findings import Finding

ARGUMENTS = (
    *CONFIG,
    argument("--user USER", "the user that the application runs as (default: who asks)"),
    argument("--seen", "what was lost so far is known: let it be no fault any more"),
    argument("--offline", "ask no mail server and no target"),
    argument("--quiet", "print what is not well, and nothing else"),
    JSON,
)


def run(args: Args) -> int:
    """Say what is well and what is not, for people and for monitoring."""
    findings = diagnose(args.config, user=args.user, seen=args.seen, offline=args.offline)
    shown = [finding for finding in findings if not (args.quiet and finding.well)]
    is_well = all(finding.well for finding in findings)
    return answer(args, [asdict(finding) for finding in findings], _told(shown), failed=not is_well)


def _told(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        mark = painted("ok  ", "green") if finding.well else painted("FAIL", "red")
        yield paragraph(f"{mark}  ", f"{finding.about}: {finding.text}")
        if finding.cure and not finding.well:
            yield paragraph("      ", finding.cure)
