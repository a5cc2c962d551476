"""Names, places and goods of the invented office, and how its dates and numbers are written."""

import datetime as dt
import random

FIRST_NAMES = (
    "Ada", "Ben", "Carla", "David", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katja", "Liam", "Mara", "Nils",
    "Olga", "Pablo", "Rosa", "Samir", "Tara", "Viktor",
)  # fmt: skip
LAST_NAMES = (
    "Adler", "Brandt", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hansen", "Ivanov", "Jensen", "Keller",
    "Lopez", "Meyer", "Novak", "Olsen", "Petrov", "Rossi", "Silva", "Tanaka", "Weber",
)  # fmt: skip
CITIES = (
    "Athens", "Berlin", "Cadiz", "Dublin", "Essen", "Florence", "Geneva", "Hamburg", "Izmir", "Krakow", "Lyon",
    "Madrid", "Naples", "Oslo", "Porto", "Riga", "Seville", "Turin", "Utrecht", "Vienna",
)  # fmt: skip
GOODS = (
    "kettle", "lamp", "jacket", "pump", "hose", "keyboard", "grinder", "backpack", "monitor", "chair", "desk",
    "printer", "scanner", "ladder", "heater", "toaster",
)  # fmt: skip
SUPPLIERS = ("Altus", "Borea", "Corvin", "Delphi", "Ember", "Fjord", "Gamma", "Helix")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
CURRENCIES = ("EUR", "USD", "GBP", "CHF")
ORDER_SERIES = (
    "AC", "BK", "CT", "DN", "EV", "FL", "GH", "HJ", "KB", "LQ", "MX", "NR", "PW", "QS", "RD", "SZ", "TU", "VY", "WG",
    "ZM",
)  # fmt: skip


def full_name(dice: random.Random) -> str:
    """Return a first and a last name."""
    return f"{dice.choice(FIRST_NAMES)} {dice.choice(LAST_NAMES)}"


def order_number(dice: random.Random) -> str:
    """Return a series and four digits."""
    return f"{dice.choice(ORDER_SERIES)}-{dice.randrange(1000, 10_000)}"


def some_date(dice: random.Random) -> dt.date:
    """Return a day of the years 2024 to 2029."""
    return dt.date(2024, 1, 1) + dt.timedelta(days=dice.randrange(6 * 365))


def date_in_words(day: dt.date, dice: random.Random) -> str:
    """Return a date in one of the ways in which letters have it."""
    month = MONTHS[day.month - 1]
    return dice.choice(
        (
            f"{day.day} {month} {day.year}",
            f"{month} {day.day}, {day.year}",
            f"{day.day} {month[:3]} {day.year}",
            f"{day.day:02d}.{day.month:02d}.{day.year}",
        )
    )


def counted(number: int, good: str) -> str:
    """Return a quantity of goods.

    >>> counted(1, "lamp"), counted(3, "lamp")
    ('1 lamp', '3 lamps')
    """
    return f"{number} {good}{'' if number == 1 else 's'}"


def clock(minutes: int) -> str:
    """Return hours and minutes.

    >>> clock(7 * 60 + 5)
    '7:05'
    """
    return f"{minutes // 60}:{minutes % 60:02d}"
