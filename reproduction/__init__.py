"""Published figures beside regenerated ones: readers, verdicts, provenance, figures."""
