"""The state of a group, and decisions about it, in words."""

from visigate_logging.present.words import counted, local
from visigate_logging.triage.decisions import Decision
from visigate_logging.triage.states import State

DONE = {
    "resolve": "resolved",
    "mute": "muted",
    "reopen": "reopened",
    "note": "noted",
    "merge": "merged",
    "unmerge": "made a group of its own again",
    "split": "split",
    "unsplit": "made whole again",
}
"""What can be decided, and what is said of it then."""


def state_in_words(state: State) -> str:
    """Return a sentence about a group that was decided about; empty when nothing was."""
    if state.decision is None:
        return ""
    decided = decision_in_words(state.decision)
    if not state.ended:
        since = f"; {counted(state.since, 'error')} since then" if state.since and state.name != "open" else ""
        return f"{decided}{since}"
    if state.regressed:
        return f"came back: {counted(state.since, 'error')} since it was {decided}"
    return f"no longer muted, {state.ended}: {counted(state.since, 'error')} since it was {decided}"


def decision_in_words(decision: Decision) -> str:
    """Return what was decided, by whom and when, and the note."""
    ends = [
        *([local(decision.until)] if decision.until else []),
        *([f"{decision.more} more have come"] if decision.more else []),
        *(["it is worse"] if decision.worse else []),
    ]
    where = f" by {decision.where}" if decision.where else ""
    terms = f" until {' or '.join(ends)}" if ends else ""
    terms += f" in release {decision.release}" if decision.release else ""
    terms += f" into {decision.into}" if decision.into else ""
    note = f": {decision.note}" if decision.note else ""
    return f"{DONE[decision.action]}{where}{terms} by {decision.who} on {local(decision.time)}{note}"
