"""Serializers that take what is documented and nothing else, and speak camelCase."""

from datetime import UTC, datetime, timedelta
from typing import overload

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.api_base.references import find_agent

EARLIEST_MS = 946_684_800_000  # 2000-01-01
LIKELY_SECONDS = range(946_684_800, 4_102_444_800)  # 2000 to 2100, had it been seconds
A_DAY, TEN_YEARS = timedelta(days=1), timedelta(days=3653)


def camel(name: str) -> str:
    """`follow_up_at` → `followUpAt`; names that are camelCase already stay."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


@overload
def epoch_ms(at: datetime) -> int: ...
@overload
def epoch_ms(at: None) -> None: ...
def epoch_ms(at: datetime | None) -> int | None:
    """The instant in epoch milliseconds; None for none."""
    return None if at is None else round(at.timestamp() * 1000)


def instant(value: int, *, future=False) -> datetime:
    """The instant that `value` (epoch milliseconds) means. Raises serializers.ValidationError.

    What happened lies not before 2000 and not more than a day ahead (clocks differ). `future=True` is for follow-ups and
    expiries, up to ten years ahead; that a new one lies ahead at all is for the action to say, for it knows the old one.
    """
    if value in LIKELY_SECONDS:
        raise serializers.ValidationError(f"Times are in milliseconds: this looks like seconds. Try {value * 1000}.")
    latest = timezone.now() + (TEN_YEARS if future else A_DAY)
    if value < EARLIEST_MS:
        raise serializers.ValidationError("This time lies before the year 2000 (epoch milliseconds).")
    if value > epoch_ms(latest):
        how_far = "ten years" if future else "a day"
        raise serializers.ValidationError(f"This time lies more than {how_far} ahead (epoch milliseconds).")
    return datetime.fromtimestamp(value / 1000, tz=UTC)


class TextField(serializers.CharField):
    """Text; a number is not text. White space stays, for the actions know what to trim."""

    def __init__(self, **options):
        options.setdefault("trim_whitespace", False)
        super().__init__(**options)

    def run_validation(self, data=serializers.empty):
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            raise serializers.ValidationError("This must be text.")
        return super().run_validation(data)


class WholeField(serializers.IntegerField):
    """A whole number, not its digits as text and not a fraction. Without other bounds: 0 … 2 147 483 647."""

    def __init__(self, **options):
        options.setdefault("min_value", 0)
        options.setdefault("max_value", 2_147_483_647)
        super().__init__(**options)

    def to_internal_value(self, data):
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("This must be a whole number, not text.")
        return data


class YesNoField(serializers.BooleanField):
    """true or false; neither text nor 0 and 1."""

    def to_internal_value(self, data):
        if not isinstance(data, bool):
            raise serializers.ValidationError("This must be true or false.")
        return data


class ChoiceField(serializers.ChoiceField):
    def to_internal_value(self, data):
        if not isinstance(data, str) or data not in self.choices:
            known = ", ".join(str(choice) for choice in self.choices)
            raise serializers.ValidationError(f"This must be one of: {known}.")
        return data


class IdField(serializers.UUIDField):
    def to_internal_value(self, data):
        if not isinstance(data, str):
            raise serializers.ValidationError("This must be an id.")
        return super().to_internal_value(data)


@extend_schema_field(
    {"type": "integer", "format": "int64", "minimum": EARLIEST_MS, "description": "Epoch milliseconds."}
)
class InstantField(serializers.Field):
    """An instant in epoch milliseconds. `future=True` for follow-ups and expiries."""

    def __init__(self, *, future=False, **options):
        self.future = future
        super().__init__(**options)

    def to_internal_value(self, data):
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("This must be a time in epoch milliseconds, a whole number.")
        return instant(data, future=self.future)

    def to_representation(self, value):
        return epoch_ms(value)


@extend_schema_field({"type": "string", "description": "An agent's id or exact name."})
class AgentField(serializers.Field):
    """An agent the member may see, by id or exact name; needs the request in the context."""

    def to_internal_value(self, data):
        if not isinstance(data, str):
            raise serializers.ValidationError("This must be an agent's id or exact name, as text.")
        return find_agent(self.context["request"].member, data, field=self.field_name)


@extend_schema_field(
    {
        "type": "object",
        "required": ["id", "name"],
        "properties": {"id": {"type": "string", "format": "uuid"}, "name": {"type": "string"}},
    }
)
class PersonField(serializers.Field):
    """A member as {id, name}; null where nobody acted or the product did."""

    def __init__(self, **options):
        super().__init__(read_only=True, **options)

    def to_representation(self, value):
        return {"id": str(value.pk), "name": value.display_name}


class StrictSerializer(serializers.Serializer):
    """Fields are declared in snake_case and spoken in camelCase; anything undeclared is refused by its name."""

    def get_fields(self):
        spoken = {}
        for name, field in super().get_fields().items():
            said = camel(name)
            if said != name:
                if isinstance(field, serializers.SerializerMethodField):
                    field.method_name = field.method_name or f"get_{name}"
                elif field.source is None:
                    field.source = name
            spoken[said] = field
        return spoken

    def to_internal_value(self, data):
        if not isinstance(data, dict):
            raise serializers.ValidationError({"nonFieldErrors": ["This must be a JSON object."]})
        writable = {name for name, field in self.fields.items() if not field.read_only}
        unknown = [name for name in data if name not in writable]
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**_unknown(unknown, self.fields), **error.detail}) from error
        if unknown:
            raise serializers.ValidationError(_unknown(unknown, self.fields))
        return values


def _unknown(names, fields):
    return {name[:100]: ["This cannot be set." if name in fields else "There is no such field."] for name in names}
