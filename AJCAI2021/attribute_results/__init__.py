"""Tables and figures of attribute predictions: config.json, statistics, published files."""
