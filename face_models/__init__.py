"""From faces to vectors: chips, networks, weight files, vectors of many pictures."""
