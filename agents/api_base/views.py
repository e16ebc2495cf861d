"""The view on which every route stands."""

from typing import ClassVar

from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import MethodNotAllowed, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.access import Right, require
from agents.api_base import idempotency
from agents.api_base.filters import StrictFilterSet
from agents.api_base.paging import CursorPage
from agents.api_parsing import LengthRequired


class AnsweredBefore(Exception):
    """This very request was answered before; `response` is that answer."""

    def __init__(self, response):
        super().__init__()
        self.response = response


class ApiView(GenericAPIView):
    """A route. Subclasses write the handlers; what they may declare:

    `scopes`      {method: scope, or several of which one is enough}; default read and write.
    `rights`      {method: agents.access.Right}, asked before anything is looked up: for routes that a role may not use at
                  all. Rows are found with `visible_to` instead (404).
    `for_members` methods that answer people without a leader's rights as well, about themselves; only for the description.
    `parameters`  {method: (names of query parameters)}; every other parameter is refused by its name.
    `filterset_class`, `ordering`, `queryset` for lists, which a GET handler answers with `self.page(rows, serializer)`.
    """

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {}
    rights: ClassVar[dict[str, Right]] = {}
    for_members: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[dict[str, tuple[str, ...]]] = {}
    filterset_class: type[StrictFilterSet] | None = None
    ordering: tuple[str, ...] | None = None
    filter_backends = ()
    pagination_class = CursorPage
    _first = None  # the idempotency row of a request that is at work

    @property
    def member(self):
        return self.request.member

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired
        if not hasattr(self, request.method.lower()):
            raise MethodNotAllowed(request.method)  # before its parameters are looked at
        self._refuse_unknown_parameters(request)
        method = "GET" if request.method == "HEAD" else request.method
        if method in self.rights:
            require(request.member, self.rights[method])
        if method == "POST":
            self._first, answer = idempotency.begin(request)
            if answer is not None:
                raise AnsweredBefore(answer)

    def options(self, request, *args, **kwargs):
        """What may be done here: the Allow header, which every answer carries."""
        return Response(status=status.HTTP_204_NO_CONTENT)

    def handle_exception(self, exc):
        if isinstance(exc, AnsweredBefore):
            return exc.response
        try:
            return super().handle_exception(exc)
        except Exception:
            if self._first is not None:
                idempotency.forget(self._first)
            raise

    def finalize_response(self, request, response, *args, **kwargs):
        if self._first is not None:
            idempotency.keep(self._first, response)
            self._first = None
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "no-store")
        if isinstance(response, Response):
            response.add_post_render_callback(_let_go)
        return response

    def read(self, serializer_class, **options):
        """The body's values, as `serializer_class` checks them. Raises ValidationError."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context(), **options)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def page(self, rows, serializer_class):
        """One page of `rows`: filtered by the view's filter set, in its `ordering`."""
        items = self.paginate_queryset(self.filtered(rows))
        serializer = serializer_class(items, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)

    def filtered(self, rows):
        """What the view's filter set leaves of `rows`. Raises ValidationError."""
        if self.filterset_class is None:
            return rows
        filters = self.filterset_class(data=self.request.query_params, queryset=rows, request=self.request)
        if not filters.is_valid():
            raise ValidationError({name: list(said) for name, said in filters.errors.items()})
        return filters.qs

    def known_parameters(self, method):
        known = set(self.parameters.get(method, ()))
        if method == "GET" and self.ordering is not None:
            known |= {"limit", "cursor"}
        if method == "GET" and self.filterset_class is not None:
            known |= set(self.filterset_class.base_filters)
        return known

    def _refuse_unknown_parameters(self, request):
        known = self.known_parameters("GET" if request.method == "HEAD" else request.method)
        refused = {}
        for name, values in request.query_params.lists():
            if name not in known:
                refused[name[:100]] = "There is no such parameter here."
            elif len(values) > 1:
                refused[name] = "This parameter stands twice."
            elif "\0" in values[0]:
                refused[name] = "A NUL character cannot be searched for."
            elif not values[0]:
                refused[name] = "This parameter is empty."
        if refused:
            raise ValidationError(refused)


def _let_go(response):
    """What an answer was written from goes when it is written. View, request and answer lead back to each other, so it would lie
    about until garbage is looked for, and make that take longer than the answer."""
    response.data = None


class UnknownRoute(APIView):
    """Whatever no other route takes."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def http_method_not_allowed(self, request, *args, **kwargs):
        raise Http404

    options = head = http_method_not_allowed
