"""What browsers call themselves, in plain words."""

import pytest

from agents.people import browsers

LIKE = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) {}"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (LIKE.format("Windows NT 10.0; Win64; x64", "Chrome/141.0.0.0 Safari/537.36"), "Chrome on Windows"),
        (LIKE.format("Windows NT 10.0; Win64; x64", "Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0"), "Edge on Windows"),
        (LIKE.format("Linux; Android 15; Pixel 9", "Chrome/141.0.0.0 Mobile Safari/537.36"), "Chrome on Android"),
        (LIKE.format("Macintosh; Intel Mac OS X 10_15_7", "Version/18.5 Safari/605.1.15"), "Safari on Mac"),
        (LIKE.format("iPad; CPU OS 18_5 like Mac OS X", "CriOS/141.0 Mobile/15E148 Safari/604.1"), "Chrome on iPad"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("curl/8.5.0", "curl"),
        ("", "A browser"),
        ("something else", "A browser"),
    ],
)
def test_browser_in_words(header, words):
    assert browsers.in_words(header) == words
