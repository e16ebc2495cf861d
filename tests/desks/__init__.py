"""Helpdesks on loopback: one world, played over each vendor's API with its paging, limits and errors."""
