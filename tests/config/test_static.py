"""Style and scripts as the web process serves them."""

import http.client
import warnings

import pytest
from django.conf import settings

from tests.serving import serving

pytestmark = pytest.mark.django_db(transaction=True)


def asked(place, method="GET", **headers):
    wire = http.client.HTTPConnection(*place, timeout=30)
    wire.request(method, "/static/touchline.css", headers=headers)
    answer = wire.getresponse()
    body = answer.read()
    wire.close()
    return answer, body


def test_file_is_served_whole_in_part_and_not_at_all_without_a_warning():
    whole = (settings.BASE_DIR / "static" / "touchline.css").read_bytes()

    with warnings.catch_warnings(record=True) as told, serving() as place:
        warnings.simplefilter("always")
        answer, body = asked(place)
        part, few = asked(place, Range="bytes=10-19")
        head, nothing = asked(place, "HEAD")
        same, none = asked(place, **{"If-Modified-Since": answer.headers["Last-Modified"]})

    assert (answer.status, body) == (200, whole)
    assert answer.headers["Content-Type"] == 'text/css; charset="utf-8"'
    assert (part.status, few) == (206, whole[10:20])
    assert (head.status, head.headers["Content-Length"], nothing) == (200, str(len(whole)), b"")
    assert (same.status, none) == (304, b"")
    assert [str(one.message) for one in told if "Response" in str(one.message)] == []
