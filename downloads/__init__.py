"""Download, unpack and check the datasets and the files that the papers published."""
