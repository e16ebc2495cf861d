"""Finding memories by words: any word may match, rare words and the summary count more, expired entries never show.

`reading.search` is the search; `engines` says which module does it on which database.
"""
