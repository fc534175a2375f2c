"""The published measurements of drafts, each with what the estimate says for the same machine and acceptance."""

from collections.abc import Iterator
from typing import TypedDict

from hayasa.answer.drafts import acceptance_from_share, draft_speedup
from hayasa.answer.estimate import Estimate, estimate
from hayasa.catalog.reader import Row, data_directory, read_rows

NO_DRAFTER = "none"
"""A row that says how long a pass takes, without drafts."""


class Drafted(TypedDict):
    """One measurement of ``data/measurements/drafts/speeds.csv``.

    `measured` and `estimated` are the gain over writing token by token or, where
    only a pass was timed (`method` is ``"none"``), its time over that of one token.
    `estimated` is told how many tokens a pass went on by; `blind`, with the ends of its
    90 % interval, is not.
    """

    id: str
    engine: str
    backend: str
    device: str
    devices: int
    model: str
    method: str
    draft_tokens: int
    tokens_per_pass: float
    base_tokens_per_s: float
    tokens_per_s: float
    measured: float
    estimated: float
    blind: float
    blind_low: float
    blind_high: float
    used: bool


def drafted() -> list[Drafted]:
    """Return all rows, for `pandas.DataFrame`; `used` are those that the estimate was fitted to.

    Examples
    --------
    >>> rows = drafted()
    >>> len(rows), sum(row["used"] for row in rows)
    (87, 74)
    """
    return list(_read())


def _read() -> Iterator[Drafted]:
    for row in read_rows(data_directory() / "measurements" / "drafts" / "speeds.csv"):
        tokens, plain = int(row["draft_tokens"]), _plain(row)
        only_pass = row["method"] == NO_DRAFTER
        base, speed = (float(row[name] or "nan") for name in ("base_tokens_per_s", "tokens_per_s"))
        expected = _tokens_per_pass(row)
        share = 1.0 if only_pass else (expected - 1) / tokens
        told, blind = (
            draft_speedup(
                plain,
                # A pass by itself is that of drafts which cost nothing.
                "ngram" if only_pass else row["draft_model"] or row["method"],
                draft_weights=row["draft_weights"] or None,
                tokens=tokens,
                acceptance=acceptance,
            )
            for acceptance in (acceptance_from_share(share, tokens), None)
        )
        yield Drafted(
            id=row["id"],
            engine=row["engine"],
            backend=row["backend"],
            device=row["device"],
            devices=int(row["devices"]),
            model=row["model"],
            method=row["method"],
            draft_tokens=tokens,
            tokens_per_pass=expected,
            base_tokens_per_s=base,
            tokens_per_s=speed,
            measured=float(row["pass_over_step"]) if only_pass else speed / base,
            estimated=told.pass_s / plain.step_latency_s if only_pass else told.speedup,
            blind=blind.speedup,
            blind_low=blind.speedup_low,
            blind_high=blind.speedup_high,
            used=not row["left_out"],
        )


def _tokens_per_pass(row: Row) -> float:
    if row["tokens_per_pass"]:
        return float(row["tokens_per_pass"])
    return 1 + int(row["draft_tokens"]) * float(row["acceptance"] or "nan")


def _plain(row: Row) -> Estimate:
    """Return the estimate without drafts."""
    return estimate(
        row["model"],
        row["device"],
        weights=row["weights"],
        batch_size=int(row["batch_size"]),
        context_length=int(row["context_length"]) + int(row["decode_tokens"]) // 2,
        engine=row["engine"],
        backend=row["backend"],
        devices=int(row["devices"]),
        split=row["split"] or "pipeline",
    )
