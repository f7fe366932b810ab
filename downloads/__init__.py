"""Datasets and published files: fetched, unpacked, put in place, and checked to be whole."""
