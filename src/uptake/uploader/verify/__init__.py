"""Whether a server holds what the sources hold, sample for sample."""
