"""Values of charts."""

from uptake.console.charts import spark, spread, ticks


def test_a_small_chart_has_a_bar_for_each_day_with_a_value() -> None:
    """Of the 14 days up to a date; the highest has the height 1."""
    days = {"2026-03-01": 4, "2026-02-28": 1, "2026-02-16": 2, "2026-02-15": 9, "2026-03-02": 9}
    bars = spark(days, "2026-03-01")
    assert sorted((bar.x, bar.height, bar.label) for bar in bars) == [
        (0, 0.5, "2026-02-16: 2"),
        (12, 0.25, "2026-02-28: 1"),
        (13, 1.0, "2026-03-01: 4"),
    ]
    assert spark({}, "2026-03-01") == []


def test_ticks_are_round_and_reach_the_highest_value() -> None:
    """About four of them."""
    assert ticks(9500) == [0, 2500, 5000, 7500, 10000]
    assert ticks(7) == [0, 2, 4, 6, 8]
    assert ticks(0) == [0, 1]
    for most in (0.3, 1, 33, 180, 12_345, 99_999_999):
        found = ticks(most)
        assert found[-1] >= most
        assert 2 <= len(found) <= 7


def test_values_are_spread_over_an_axis() -> None:
    """From the end of the axis; equal bounds do not divide by zero."""
    assert spread([0, 5, 10], 0, 10, 100) == [100, 50, 0]
    assert spread([5], 5, 5, 100) == [100]
