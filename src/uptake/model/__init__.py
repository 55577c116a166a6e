"""Items, submissions, receipts, problems, ids and the clock."""
