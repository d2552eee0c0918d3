"""Reading errors back: the lines on disk are the truth, the index is a cache."""
