"""What a million tokens cost: electricity, the machine over its years, or a rented one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from ..catalog.reader import read_objects
from ..errors import InvalidValueError, require_positive
from ..units import significant
from .energy import Energy

JOULES_PER_KWH = 3.6e6
SECONDS_PER_HOUR = 3600.0
HOURS_PER_DAY = 24.0
DAYS_PER_YEAR = 365.25
MILLION = 1e6

DEFAULT_YEARS = 4.0
"""Years over which a machine is paid for: an assumption, not a measurement."""

DEFAULT_HOURS_PER_DAY = 4.0
"""Hours a day in which it writes: an assumption, not a measurement."""

MAX_PRICE = 1e12


@dataclass(frozen=True)
class Price:
    """A price with its day: see ``data/prices.csv``."""

    id: str
    kind: str
    device: str
    value: float
    unit: str
    priced_on: str
    what: str


class Cost(NamedTuple):
    """What a million tokens cost, in yen.

    Parameters
    ----------
    spent : Energy
        The energy it was computed from.
    yen_per_kwh : float
        Price of electricity.
    electricity_yen, electricity_low_yen, electricity_high_yen : float
        Electricity for a million tokens written, with its 90 % interval.
    prompt_electricity_yen : float or None
        Electricity for a million tokens read; None if that speed is not known.
    idle_yen : float or None
        Electricity of the hours in which the machine waits, for a million
        tokens written; None if what it then draws is unknown.
    machine_yen : float or None
        The machine's share of its price, for a million tokens written; None
        without a price.
    rent_yen : float or None
        Rent for a million tokens written; None without a price.
    assumptions : tuple of str
        Every price and its day, and how much the machine is used, in Japanese.
    """

    spent: Energy
    yen_per_kwh: float
    electricity_yen: float
    electricity_low_yen: float
    electricity_high_yen: float
    prompt_electricity_yen: float | None
    idle_yen: float | None
    machine_yen: float | None
    rent_yen: float | None
    assumptions: tuple[str, ...]

    @property
    def owned_yen(self) -> float | None:
        """Electricity and machine together, without idling; None without a price of the machine."""
        return None if self.machine_yen is None else self.electricity_yen + self.machine_yen

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values under stable keys, ready for JSON."""
        plain = {name: value for name, value in self._asdict().items() if name != "spent"}
        return {**plain, "owned_yen": self.owned_yen, "assumptions": list(self.assumptions)}


@cache
def prices() -> tuple[Price, ...]:
    """Return every price."""
    return read_objects(Price, "prices.csv")


def cost(
    spent: Energy,
    *,
    yen_per_kwh: float | None = None,
    machine_price_yen: float | None = None,
    years: float = DEFAULT_YEARS,
    hours_per_day: float = DEFAULT_HOURS_PER_DAY,
    rent_usd_per_hour: float | None = None,
    yen_per_usd: float | None = None,
) -> Cost:
    r"""Return what a million tokens cost on a machine of one's own, and on a rented one.

    With :math:`v` tokens a second, all sequences together, a machine of price
    :math:`M` that writes :math:`h` hours a day for :math:`y` years costs

    .. math:: 10^6 \, \frac{M}{365.25 \, y \, h \cdot 3600 \, v}

    a million tokens; a rented one counts in the hours in which it writes.

    Parameters
    ----------
    spent : Energy
        What `hayasa.energy` returned.
    yen_per_kwh : float, optional
        Price of electricity; by default the usual one of ``data/prices.csv``.
    machine_price_yen : float, optional
        Price of everything that was bought; by default that of the table for
        one device, times the devices, if there is one.
    years, hours_per_day : float
        How long the machine is used.
    rent_usd_per_hour : float, optional
        Rent of one device; by default that of the table, if there is one.
    yen_per_usd : float, optional
        Exchange rate; by default that of the table.

    Returns
    -------
    Cost
        Yen for a million tokens.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    >>> from hayasa import energy, estimate
    >>> spent = energy(estimate("llama-3.1-8b", "rtx-4090", weights="q4_k_m"))
    >>> one = cost(spent, yen_per_kwh=31)
    >>> round(one.electricity_yen / spent.decode_joules_per_token, 2)  # 31 yen / 3.6 MJ × 1 million
    8.61
    """
    result = spent.decode
    assumptions: list[str] = []
    if yen_per_kwh is None:
        price = _listed("electricity")
        tariff = price.value if price else 0.0
        assumptions.append(f"電気 {tariff:g} 円/kWh（{_origin(price)}）")
    else:
        tariff = require_positive("yen_per_kwh", yen_per_kwh, maximum=MAX_PRICE)
        assumptions.append(f"電気 {tariff:g} 円/kWh（指定）")
    rate = _rate(yen_per_usd)
    years = require_positive("years", years, maximum=1000)
    hours = require_positive("hours_per_day", hours_per_day)
    if hours > HOURS_PER_DAY:
        raise InvalidValueError(f"hours_per_day は 24 以下で指定してください（与えられた値: {hours:g}）。")
    machine_yen = rent_yen = None
    million_s = MILLION / result.decode_tokens_per_s
    dollars = False
    if machine_price_yen is None:
        price = _listed("machine", result.device.id)
        if price:
            dollars = price.unit == "USD"
            bought = price.value * (rate if dollars else 1.0) * result.devices
            assumptions.append(f"機械 {_yen(bought)} 円（{_origin(price)}）")
            machine_yen = _share_of_price(bought, million_s, years, hours)
    else:
        bought = require_positive("machine_price_yen", machine_price_yen, maximum=MAX_PRICE)
        assumptions.append(f"機械 {_yen(bought)} 円（指定）")
        machine_yen = _share_of_price(bought, million_s, years, hours)
    if machine_yen is not None:
        assumptions.append(f"機械を {years:g} 年、1 日 {hours:g} 時間、この速さで使う")
    if rent_usd_per_hour is None:
        price = _listed("rent", result.device.id)
        rent = price.value if price else None
        origin = _origin(price)
    else:
        rent = require_positive("rent_usd_per_hour", rent_usd_per_hour, maximum=MAX_PRICE)
        origin = "指定"
    if rent is not None:
        dollars = True
        rent_yen = rent * rate * result.devices * million_s / SECONDS_PER_HOUR
        assumptions.append(f"借りる 1 台 1 時間 {rent:g} ドル（{origin}）、借りている間は使いつづける")
    if dollars:
        assumptions.append(f"1 ドル {rate:g} 円（{_origin(_listed('exchange')) if yen_per_usd is None else '指定'}）")
    reading_j = spent.prompt_joules_per_token
    per_joule = MILLION * tariff / JOULES_PER_KWH
    idle_yen = None
    if spent.idle_power_w is not None:
        idle_yen = spent.idle_power_w * (HOURS_PER_DAY - hours) / hours * million_s * tariff / JOULES_PER_KWH
        assumptions.append(f"使わない間もつけたまま（待機 {significant(spent.idle_power_w, 2)} W）にする")
    return Cost(
        spent=spent,
        yen_per_kwh=tariff,
        electricity_yen=spent.decode_joules_per_token * per_joule,
        electricity_low_yen=spent.decode_joules_per_token_low * per_joule,
        electricity_high_yen=spent.decode_joules_per_token_high * per_joule,
        prompt_electricity_yen=None if reading_j is None else reading_j * per_joule,
        idle_yen=idle_yen,
        machine_yen=machine_yen,
        rent_yen=rent_yen,
        assumptions=tuple(assumptions),
    )


def _share_of_price(bought: float, million_s: float, years: float, hours: float) -> float:
    """Return what of a price falls on the seconds of a million tokens."""
    return bought * million_s / (years * DAYS_PER_YEAR * hours * SECONDS_PER_HOUR)


def _rate(yen_per_usd: float | None) -> float:
    if yen_per_usd is not None:
        return require_positive("yen_per_usd", yen_per_usd, maximum=MAX_PRICE)
    price = _listed("exchange")
    return price.value if price else 0.0


def _listed(kind: str, device: str = "") -> Price | None:
    """Return the price of the table; None if there is none."""
    for price in prices():
        if price.kind == kind and price.device == device:
            return price
    return None


def _origin(price: Price | None) -> str:
    return f"{price.what}、{price.priced_on}" if price else ""


def _yen(value: float) -> str:
    return f"{value:,.0f}"
