"""Reports under way: by time and number, each once."""

from __future__ import annotations

from exchange.simulated.reports import Reports
from models.event import Funding
from models.rows import FAR_NS


def test_reports_come_by_time_then_number_and_once() -> None:
    """Taking up to a time gives what is due, in order; the next taking gives the rest."""
    reports = Reports()
    made = [Funding(at_ns, instrument, 0, 0, 0) for instrument, at_ns in enumerate((7, 5, 7, 9))]
    for report in made:
        reports.add(report)
    assert reports.due_ns == 5
    assert reports.take(4) == []
    assert reports.take(7) == [made[1], made[0], made[2]]
    assert (reports.take(FAR_NS), reports.take(FAR_NS), reports.due_ns) == ([made[3]], [], FAR_NS)
