"""When to tell: the promises of the throttle, with an injected clock."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visigate_logging.delivery.throttle import Incident, Windows, after_telling, is_at_rest, note, plan

W = Windows()


def errors(fingerprint, at, n=1, severity="CRITICAL"):
    return Incident(fingerprint, severity, at, at, f"t{at}", f"t{at}", f"t{at}", untold=n)


@dataclass
class Mail:
    """One mail that the throttle asked for."""

    at: float
    told: dict[str, int]
    at_rest: set[str]
    first: set[str]
    held_back: float
    order: list[str]


@dataclass
class Host:
    """Runs the throttle as the sender does: the timer is kept, every mail is accepted."""

    windows: Windows = W
    now: float = 0.0
    groups: dict[str, Incident] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)

    def error(self, fingerprint="a", n=1, severity="CRITICAL"):
        news = errors(fingerprint, self.now, n, severity)
        self.groups[fingerprint] = note(self.groups.get(fingerprint), news, self.windows)

    def run_until(self, end):
        while True:
            decision = plan(self.groups.values(), [m.at for m in self.mails], self.now, self.windows)
            if decision.due:
                self.mail(decision)
                continue
            if decision.look_again is None or decision.look_again > end:
                self.now = max(self.now, end)
                return
            assert decision.look_again > self.now
            self.now = decision.look_again

    def mail(self, decision):
        rest = {g.fingerprint for g in decision.due if is_at_rest(g, self.now, self.windows)}
        self.mails.append(
            Mail(
                self.now,
                {g.fingerprint: g.untold for g in decision.due},
                rest,
                {g.fingerprint for g in decision.due if g.told_at is None},
                decision.held_back,
                [g.fingerprint for g in decision.due],
            )
        )
        for group in decision.due:
            after = after_telling(group, self.now, self.windows)
            if after is None:
                del self.groups[group.fingerprint]
            else:
                self.groups[group.fingerprint] = after


@pytest.fixture
def host():
    return Host()


def test_nothing_is_due_when_nothing_happened(host):
    host.run_until(1e6)
    assert host.mails == []


def test_a_groups_first_error_is_mailed_after_group_wait(host):
    host.error()
    host.run_until(0.9)
    assert host.mails == []
    host.run_until(10)
    assert [(m.at, m.told) for m in host.mails] == [(1.0, {"a": 1})]


def test_groups_that_are_new_together_share_one_mail(host):
    host.error("a")
    host.run_until(0.7)
    host.error("b")
    host.run_until(100)
    assert [m.told for m in host.mails] == [{"a": 1, "b": 1}]


def test_repeats_are_counted_and_told_after_an_interval_that_doubles(host):
    for second in range(0, 5000, 10):
        host.run_until(second)
        host.error()
    at = [m.at for m in host.mails]
    assert at == [1.0, 301.0, 901.0, 2101.0, 4501.0]
    assert [m.told["a"] for m in host.mails] == [1, 30, 60, 120, 240]


def test_the_wait_between_follow_ups_ends_at_max_interval(host):
    for second in range(0, 200_000, 60):
        host.run_until(second)
        host.error()
    gaps = [b.at - a.at for a, b in zip(host.mails, host.mails[1:], strict=False)]
    assert gaps[-3:] == [14_400.0] * 3


def test_the_end_of_an_incident_is_told_by_a_timer(host):
    host.error()
    host.run_until(10_000)
    assert [(m.at, m.told, m.at_rest) for m in host.mails] == [
        (1.0, {"a": 1}, set()),
        (3600.0, {"a": 0}, {"a"}),
    ]


def test_the_end_tells_the_repeats_that_no_follow_up_has_told():
    host = Host(Windows(quiet=60.0))
    host.error()
    host.run_until(5)
    host.error(n=7)
    host.run_until(10_000)
    assert [(m.at, m.told["a"], m.at_rest) for m in host.mails] == [(1.0, 1, set()), (65.0, 7, {"a"})]


def test_after_rest_the_next_error_is_a_first_one_again(host):
    host.error()
    host.run_until(5000)
    host.error()
    host.run_until(5010)
    assert host.mails[-1].first == {"a"}
    assert host.mails[-1].at == 5001.0


def test_an_error_that_comes_back_before_its_rest_could_be_told_is_a_first_one_and_says_so():
    told = after_telling(errors("a", 0.0), 1.0, W)
    again = note(told, errors("a", 9000.0), W)
    assert again.told_at is None
    assert again.rested_since == "t0.0"


def test_never_more_than_max_per_hour_and_the_late_mail_says_so(host):
    for n in range(100):
        host.run_until(n * 10)
        host.error(f"g{n}")
    assert len(host.mails) == 12
    host.run_until(3700)
    late = host.mails[12]
    assert late.at == host.mails[0].at + 3600
    assert late.held_back > 0
    assert not any(m.held_back for m in host.mails[:12])
    assert len(late.told) >= 88  # all that waited


def test_mails_of_ends_alone_leave_half_of_the_hour_to_news(host):
    for n in range(30):
        host.run_until(n * 300)
        host.error(f"g{n}")
    host.run_until(3600 * 24)
    only_ends = [m.at for m in host.mails if not any(m.told.values())]
    assert all(b - a > 3600 - 1e-6 for a, b in zip(only_ends, only_ends[6:], strict=False))
    assert host.groups == {}


def test_a_digest_lists_the_worst_first(host):
    host.error("often", n=50, severity="ERROR")
    host.error("worst", severity="CRITICAL")
    host.error("once", severity="ERROR")
    host.run_until(5)
    assert host.mails[0].order == ["worst", "often", "once"]


def test_the_worst_severity_of_an_incident_stays(host):
    host.error(severity="CRITICAL")
    host.error(severity="ERROR")
    assert host.groups["a"].severity == "CRITICAL"


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.3, 1.0, 7.0, 60.0, 299.0, 301.0, 1800.0, 3599.0, 3600.0, 20_000.0]),
        st.sampled_from("abcd"),
        st.integers(1, 1000),
    ),
    max_size=80,
)
WINDOWS = st.builds(
    Windows,
    group_wait=st.sampled_from([0.0, 1.0, 30.0]),
    interval=st.sampled_from([1.0, 300.0]),
    max_interval=st.sampled_from([300.0, 14_400.0]),
    quiet=st.sampled_from([60.0, 3600.0]),
    max_per_hour=st.sampled_from([1, 3, 12]),
)


@settings(max_examples=200, deadline=None)
@given(STEPS, WINDOWS)
def test_for_any_sequence_of_errors_and_times_the_promises_hold(steps, windows):
    host, given_errors, begun = Host(windows), {}, {}
    for pause, fingerprint, n in steps:
        host.run_until(host.now + pause)
        if fingerprint not in host.groups:
            begun.setdefault(fingerprint, []).append(host.now)
        host.error(fingerprint, n)
        given_errors[fingerprint] = given_errors.get(fingerprint, 0) + n
    host.run_until(host.now + 1e6)

    told = {}
    for mail in host.mails:
        for fingerprint, n in mail.told.items():
            told[fingerprint] = told.get(fingerprint, 0) + n
    assert told == given_errors  # the sum is told, each error once
    times = [m.at for m in host.mails]
    cap = windows.max_per_hour
    assert all(b - a > 3600 - 1e-6 for a, b in zip(times, times[cap:], strict=False))  # the cap is held
    for fingerprint, starts in begun.items():
        firsts = [m for m in host.mails if fingerprint in m.first]
        assert len(firsts) >= len(starts)  # each incident's first error is told as such
        for start in starts:
            first = next(m for m in firsts if m.at >= start)
            assert first.at <= start + windows.group_wait or first.held_back
    for fingerprint in given_errors:
        ends = [m for m in host.mails if fingerprint in m.at_rest]
        assert ends  # the quiet is noticed, without another error
        assert ends[-1] is [m for m in host.mails if fingerprint in m.told][-1]
    assert host.groups == {}
    follow_ups = [m for m in host.mails if not m.first and not m.at_rest]
    assert all(sum(m.told.values()) for m in follow_ups)  # no mail without news
