"""What every other part speaks: items, submissions, receipts, problems, ids and the clock."""
