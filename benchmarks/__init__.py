"""The benchmark of Uptake: the real server under load, next to a yardstick, on one machine."""
