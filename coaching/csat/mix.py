"""Which channel a fall came from: the ratings of a review window by channel, against the same agent's weeks before. Pure.

A mean can fall in two ways: the ratings of a channel become lower, or more of the ratings come by a channel where they were
lower all along. With s the share of a channel in the ratings and m its mean, before (0) and now (1), the change of the whole is

    Σ s₁m₁ − Σ s₀m₀  =  Σ (s₁ − s₀)·(½(m₀ + m₁) − M)  +  Σ ½(s₀ + s₁)·(m₁ − m₀)
                         the mix shifted                   within the channels

whatever M is, for the shifts of all shares add up to nothing; with M the mean of both times, a channel's part of the shift says
what its own growth did. Means and differences are points of a score, 0..100.
"""

import math
from dataclasses import dataclass, replace

from coaching.csat.figures import NOTHING, SURE, Csat
from coaching.texts.numbers import counted

COVERS = 0.9  # of the ratings of each time that must lie on channels with enough of them before the fall is taken apart
CARRIES = 2 / 3  # of the fall that one channel, or the shift of the mix, must make up before it is said to carry it
LEAST_FALL = 1.0  # points; less is no fall to be explained


@dataclass(frozen=True)
class Channel:
    """One channel's ratings now and before; `name` is "" for conversations whose channel is not known.

    `share_now` and `share_before` are of all ratings, 0..1. `shift` and `within` are this channel's parts of the change in
    points; both are None where either time has too few ratings to name a level.
    """

    name: str
    now: Csat
    before: Csat
    share_now: float
    share_before: float
    shift: float | None = None
    within: float | None = None

    @property
    def enough(self):
        """Whether there are ratings enough to name a level now and before."""
        return self.now.enough and self.before.enough

    @property
    def change(self):
        """Points against before; None where either time has too few ratings."""
        return self.now.mean - self.before.mean if self.enough else None

    @property
    def has_changed(self):
        """Whether its level differs by more than chance leaves open, 19 times in 20."""
        return self.enough and abs(self.change) > math.hypot(self.now.give_or_take, self.before.give_or_take)


@dataclass(frozen=True)
class Mix:
    """All channels, most ratings now first. `now` and `before` add them up.

    `change`, `shift` and `within` (points, change = shift + within) speak of the channels with enough ratings, and are None
    where those are too small a part of all ratings, or where there are no two of them.
    """

    channels: list[Channel]
    now: Csat
    before: Csat
    change: float | None = None
    shift: float | None = None
    within: float | None = None

    @property
    def known(self):
        """Whether a channel is known of any rating."""
        return any(channel.name for channel in self.channels)

    @property
    def unknown_share(self):
        """The share of the ratings now whose channel is not known, 0..1."""
        return sum(channel.share_now for channel in self.channels if not channel.name)

    @property
    def left_out(self):
        """The channels with too few ratings to be taken apart."""
        return [channel for channel in self.channels if not channel.enough]

    @property
    def carrier(self):
        """The channel that makes up most of the fall within itself, beyond chance; None where none does, or none is known."""
        if self.change is None or self.change > -LEAST_FALL:
            return None
        falling = [one for one in self.channels if one.enough and one.name and one.has_changed]
        return next((one for one in falling if one.within <= CARRIES * self.change), None)

    @property
    def shifted(self):
        """The channel whose share grew or shrank and so makes up most of the fall, beyond chance; None where none does."""
        if self.change is None or self.change > -LEAST_FALL or self.shift > CARRIES * self.change:
            return None
        found = min((one for one in self.channels if one.enough and one.name), key=lambda one: one.shift, default=None)
        return found if found is not None and _share_has_changed(found, self.now.n, self.before.n) else None


def take_apart(now: dict[str, Csat], before: dict[str, Csat]) -> Mix:
    """The ratings of two times by channel ("" where it is not known), and what the change between them is made of."""
    all_now, all_before = sum(now.values(), NOTHING), sum(before.values(), NOTHING)
    channels = [
        Channel(
            name,
            now.get(name, NOTHING),
            before.get(name, NOTHING),
            share_now=_share(now.get(name, NOTHING), all_now),
            share_before=_share(before.get(name, NOTHING), all_before),
        )
        for name in now.keys() | before.keys()
    ]
    channels.sort(key=lambda one: (-one.now.n, -one.before.n, one.name))
    enough = [one for one in channels if one.enough]
    covered_now = sum((one.now for one in enough), NOTHING)
    covered_before = sum((one.before for one in enough), NOTHING)
    covers = min(_share(covered_now, all_now), _share(covered_before, all_before))
    if len(enough) < 2 or covers < COVERS:
        return Mix(channels, all_now, all_before)
    middle = (covered_now.mean + covered_before.mean) / 2
    channels = [_with_parts(one, covered_now, covered_before, middle) if one.enough else one for one in channels]
    return Mix(
        channels,
        all_now,
        all_before,
        change=covered_now.mean - covered_before.mean,
        shift=math.fsum(one.shift or 0 for one in channels),
        within=math.fsum(one.within or 0 for one in channels),
    )


def _with_parts(channel, all_now, all_before, middle):
    """The channel with what its share and what its level did to the mean of all."""
    share_now, share_before = _share(channel.now, all_now), _share(channel.before, all_before)
    level_now, level_before = channel.now.mean, channel.before.mean
    return replace(
        channel,
        shift=(share_now - share_before) * ((level_now + level_before) / 2 - middle),
        within=(share_now + share_before) / 2 * (level_now - level_before),
    )


def _share(csat, of_all):
    return csat.n / of_all.n if of_all.n else 0.0


def _share_has_changed(channel, n_now, n_before):
    """Whether the share differs by more than chance leaves open, 19 times in 20."""
    pooled = (channel.now.n + channel.before.n) / (n_now + n_before)
    chance = math.sqrt(pooled * (1 - pooled) * (1 / n_now + 1 / n_before))
    return abs(channel.share_now - channel.share_before) > SURE * chance


# --- In words ---------------------------------------------------------------------------------------------------------


def verdict(mix):
    """What the mix says of a fall, in one plain sentence. Every case has one, "nothing can be said" among them."""
    if not mix.now.n:
        return "No rating of these weeks is kept, so their channels cannot be compared."
    if not mix.known:
        return "No channel is known for these conversations."
    if not mix.before.n:
        return "No rating of the weeks before is kept, so there is nothing to compare the channels with."
    if mix.unknown_share > 1 / 2:
        return "For most of these conversations no channel is known, so channels cannot be compared."
    if len(mix.channels) == 1:
        return f"All of these ratings came by {mix.channels[0].name}, now and before."
    if mix.change is None:
        return "Too few ratings on each channel to tell one from the other: that takes 8 now and 8 before."
    if mix.change > -LEAST_FALL:
        return "Over these channels together there is no fall: the level is that of before."
    if mix.carrier is not None:
        return f"{_heard(mix.carrier)}; {_others(mix)}."
    if mix.shifted is not None:
        one = mix.shifted
        more = one.share_now > one.share_before
        return (
            f"{'More' if more else 'Fewer'} ratings come by {one.name}, where they are {'lower' if more else 'higher'}: "
            f"{_percent(one.share_now)} of them now, {_percent(one.share_before)} before. Within the channels little has changed."
        )
    return "No single channel carries the fall: it is spread over them."


def parts(mix):
    """How much of the fall is which part, as a sentence; empty where it cannot be taken apart, or there is no fall."""
    if mix.change is None or mix.change > -LEAST_FALL:
        return ""
    whole, within, shift = _points(mix.change), _points(mix.within), _points(mix.shift)
    if abs(mix.shift) < LEAST_FALL:
        said = f"All of the {whole} points lie within the channels; their mix did next to nothing"
    elif abs(mix.within) < LEAST_FALL:
        said = f"All of the {whole} points come from another mix of channels; within them next to nothing changed"
    elif mix.shift > 0:
        said = f"Lower ratings within the channels make {within} points; another mix of channels made up for {shift}"
    elif mix.within > 0:
        said = f"Another mix of channels makes {shift} points; higher ratings within the channels made up for {within}"
    else:
        said = (
            f"Of {whole} points, {within} come from lower ratings within the channels and {shift} from another mix of "
            "channels"
        )
    if mix.left_out:
        said += f"; {_named(mix.left_out)} left out, with too few ratings"
    return f"{said}."


def label(name):
    """A channel's name as it begins a phrase; what is not known is said to be so."""
    return name[:1].upper() + name[1:] if name else "Channel not known"


def _heard(channel):
    n = counted(channel.now.n, "rating")
    return f"{label(channel.name)}: {n} at {channel.now.mean:.0f} %, before {channel.before.n:,} at {channel.before.mean:.0f} %"


def _others(mix):
    others = [one for one in mix.channels if one.enough and one is not mix.carrier]
    changed = [one for one in others if one.has_changed]
    if not changed:
        return f"{_named(others)} {'shows' if len(others) == 1 else 'show'} no change"
    return ", ".join(
        f"{_name(one)} {'fell' if one.change < 0 else 'rose'} by {_points(one.change)} points" for one in changed
    )


def _named(channels):
    *first, last = [_name(one) for one in channels]
    return f"{', '.join(first)} and {last}" if first else last


def _name(channel):
    return channel.name or "what has no known channel"


def _percent(share):
    return f"{100 * share:.0f} %"


def _points(points):
    return f"{abs(points):.1f}".removesuffix(".0")
