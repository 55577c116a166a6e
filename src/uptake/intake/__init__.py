"""From a submission to what is kept of it: judged, grouped, committed, receipted."""
