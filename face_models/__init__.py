"""A face -> a vector: chips, networks, weight files, vectors of many pictures."""
