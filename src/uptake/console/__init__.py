"""The console: pages for people who run an intake, over the API of `/uptake/v1`."""
