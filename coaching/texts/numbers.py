"""Numbers of things in words. Pure."""


def counted(n: float, noun: str) -> str:
    """ "1 rating", "1,204 ratings"; a number that is not whole is rounded."""
    n = round(n)
    return f"1 {noun}" if n == 1 else f"{n:,} {noun}s"
