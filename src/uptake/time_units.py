"""Units of time as integers; each name has both units.

Moments (when data was received) are microseconds since the epoch. Times of samples are ticks of
100 ns since the epoch, the precision that clients send.
"""

SECONDS_PER_DAY = 86_400

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = SECONDS_PER_DAY * MICROSECONDS_PER_SECOND

TICKS_PER_SECOND = 10_000_000
TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND
TICKS_PER_HOUR = 60 * TICKS_PER_MINUTE
TICKS_PER_DAY = SECONDS_PER_DAY * TICKS_PER_SECOND
TICKS_PER_MICROSECOND = TICKS_PER_SECOND // MICROSECONDS_PER_SECOND
