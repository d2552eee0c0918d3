"""Metrics as text: OpenMetrics, and the older text format of Prometheus, which node_exporter reads.

https://prometheus.io/docs/specs/om/open_metrics_spec/, https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]
"""Labels and value."""
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_LONGEST_LABEL = 200


@dataclass(frozen=True)
class Family:
    """One metric with all its labels.

    Args:
        name: without ``_total``.
        kind: counters only grow; gauges are what they are.
        help: what it says, in one sentence.
        samples: labels and values.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Sequence[Sample]


def openmetrics(families: Iterable[Family]) -> str:
    """Return families in OpenMetrics text."""
    return "".join(_block(family, family.name) for family in families) + "# EOF\n"


def prometheus(families: Iterable[Family]) -> str:
    """Return families in Prometheus' own text format, where a counter is declared with its ``_total``."""
    return "".join(_block(family, _sample_name(family)) for family in families)


def negotiated(accept: str, families: Iterable[Family]) -> tuple[str, str]:
    """Return the text that a client wants, and its content type.

    Args:
        accept: its ``Accept`` header.
        families: what there is.
    """
    if re.search(r"application/openmetrics-text", accept):
        return openmetrics(families), OPENMETRICS
    return prometheus(families), PROMETHEUS


def _sample_name(family: Family) -> str:
    return f"{family.name}_total" if family.kind == "counter" else family.name


def _block(family: Family, declared: str) -> str:
    head = f"# HELP {declared} {family.help}\n# TYPE {declared} {family.kind}\n"
    name = _sample_name(family)
    lines = [f"{name}{_labels(labels)} {_number(value)}\n" for labels, value in family.samples]
    return head + "".join(lines) if lines else ""


def _labels(labels: Mapping[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    return value[:_LONGEST_LABEL].encode("utf-8", "replace").decode().translate(_ESCAPED)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
