"""Where, in what weather and on what occasion a customer acts, when publishers say so; from ``clicks`` and ``orders``."""

from __future__ import annotations

from portrait.features.base import Feature, Part
from portrait.merging import merging, tallies
from portrait.structures import Tally, tally
from schemas.clicks import AppOpened, CartChanged, ContentEngaged, ItemViewed, PageViewed, Searched, StoreVisited
from schemas.event import Event
from schemas.orders import OrderPlaced

PLACES_MAX, WEATHER_MAX, OCCASIONS_MAX = 5, 5, 6


class Context(Part, array_like=True, gc=False):
    places: Tally | None = None
    weather: Tally | None = None
    occasions: Tally | None = None


def touch(part: Context, event: Event, today: int) -> None:
    data = event.data
    if data.place is not None:
        part.places = tally(part.places, data.place, PLACES_MAX)
    if data.weather is not None:
        part.weather = tally(part.weather, data.weather, WEATHER_MAX)
    if data.occasion is not None:
        part.occasions = tally(part.occasions, data.occasion, OCCASIONS_MAX)


def order(part: Context, event: Event, today: int) -> None:
    part.occasions = tally(part.occasions, event.data.occasion, OCCASIONS_MAX)


FEATURE = Feature(
    name="context",
    part=Context,
    folds={
        **dict.fromkeys((PageViewed, ItemViewed, Searched, CartChanged, ContentEngaged, AppOpened, StoreVisited), touch),
        OrderPlaced: order,
    },
    merge=merging(Context, places=tallies(PLACES_MAX), weather=tallies(WEATHER_MAX), occasions=tallies(OCCASIONS_MAX)),
    frequent=True,
)
