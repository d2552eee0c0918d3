"""doctor: is all well, and what to do where it is not; for people and for monitoring."""

import argparse
from dataclasses import asdict

from visigate_logging.cli.arguments import add_json
from visigate_logging.cli.command import DONE, FAILED
from visigate_logging.cli.configuring import add_config
from visigate_logging.cli.output import painted, paragraph, say, say_json


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--user", help="the user that the application runs as (default: who asks)")
    parser.add_argument(
        "--seen", action="store_true", help="what was lost so far is known: let it be no fault any more"
    )
    parser.add_argument("--offline", action="store_true", help="ask no mail server and no target")
    parser.add_argument("--quiet", action="store_true", help="print what is not well, and nothing else")
    add_json(parser)


def doctor(args: argparse.Namespace) -> int:
    """Look at everything that errors depend on, and say what to do."""
    from visigate_logging.health.checks import diagnose

    findings = diagnose(args.config, user=args.user, seen=args.seen, offline=args.offline)
    if args.json:
        say_json([asdict(finding) for finding in findings])
    else:
        for finding in [f for f in findings if not (args.quiet and f.well)]:
            mark = painted("ok  ", "green") if finding.well else painted("FAIL", "red")
            say(paragraph(f"{mark}  ", f"{finding.about}: {finding.text}"))
            if finding.cure and not finding.well:
                say(paragraph("      ", finding.cure))
    return DONE if all(finding.well for finding in findings) else FAILED
