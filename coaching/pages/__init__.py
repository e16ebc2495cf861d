"""What the pages show, one module a page: each reads it all at once, in a number of queries that does not grow with the rows."""
