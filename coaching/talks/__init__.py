"""Talks with the coach as people have them: what is asked by a button, what comes next, and following an answer as it comes."""
