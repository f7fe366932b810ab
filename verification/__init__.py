"""Verification: lists of pairs, scores, error rates and curves; imports no network."""
