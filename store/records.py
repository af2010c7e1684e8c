"""What queries give: rows as frozen values. Money, prices and quantities are scaled integers again, times UTC ns."""

from typing import Annotated

import msgspec

Money = Annotated[int, "decimal text in the table"]


class Record(msgspec.Struct, frozen=True):
    """Base of all records; a query's columns are named like its fields and stand in their order."""


class RunRecord(Record, frozen=True):
    """One start of the desk; `ended_ns` None: it runs, or did not end in order. `report` is JSON."""

    run: int
    run_id: str
    mode: str
    started_ns: int
    ended_ns: int | None
    phase: str
    seed: int | None
    config_hash: str
    report: str | None


class SignalRecord(Record, frozen=True):
    """A signal and how it ended; `state` None while it is in flight."""

    row: int
    signal_id: str
    raised_ns: int
    strategy_id: str
    symbol: str
    side: str
    entry: Money
    stop: Money
    target: Money
    text: str
    state: str | None
    reason_code: str | None
    outcome: str | None
    value: Money | None
    limit_value: Money | None
    filled_qty: Money | None
    ended_ns: int | None
    phase: str
    regime: str


class OrderRecord(Record, frozen=True):
    row: int
    order_id: str
    signal_id: str
    placed_ns: int
    updated_ns: int
    symbol: str
    purpose: str
    kind: str
    qty: Money
    price: Money
    stop_price: Money
    state: str
    filled_qty: Money
    average_price: Money
    reason_code: str
    text: str


class FillRecord(Record, frozen=True):
    row: int
    fill_id: str
    order_id: str
    signal_id: str
    filled_ns: int
    symbol: str
    purpose: str
    qty: Money
    price: Money
    fee: Money
    role: str
    realized: Money
    expected: Money
    slippage: Money | None
    late: int


class TradeRecord(Record, frozen=True):
    row: int
    trade_id: str
    signal_id: str
    strategy_id: str
    symbol: str
    side: str
    qty: Money
    entry_price: Money
    exit_price: Money
    entry_ns: int
    exit_ns: int
    duration_ns: int
    pnl: Money
    fees: Money
    funding: Money
    exit_reason: str
    phase: str
    regime: str


class ErrorRecord(Record, frozen=True):
    """Errors of one fingerprint; `row`, `place` and `text` are the first one's."""

    row: int
    fingerprint: str
    place: str
    text: str
    count: int
    first_ns: int
    last_ns: int


class PositionRecord(Record, frozen=True):
    symbol: str
    side: str
    qty: Money
    entry_price: Money
    cost: Money
    opened_ns: int
    updated_ns: int
    signal_id: str
    strategy_id: str


class MarkRecord(Record, frozen=True):
    row: int
    at_ns: int
    equity: Money
    cash: Money
    unrealized: Money
    realized: Money
    fees: Money
    funding: Money
    exposure: Money
    heat: Money
    drawdown: Money
    regime: str
    volatility: Money
    phases: str


class EquityRecord(Record, frozen=True):
    """The account's worth at one mark, and what it would be under the execution profiles; None without shadow books."""

    row: int
    at_ns: int
    equity: Money
    equity_pessimistic: Money | None
    equity_optimistic: Money | None


class DealRecord(Record, frozen=True):
    """A fill by what it cost, the desk's own (`profile` empty) or one of a shadow book. `qty` signed."""

    row: int
    profile: str
    order_id: str
    qty: Money
    price: Money
    slippage: Money | None


class VerdictRecord(Record, frozen=True):
    """The end of a validation protocol; `body` is the signed statement as JSON."""

    row: int
    at_ns: int
    protocol_id: str
    passed: int
    body: str


class DayRecord(Record, frozen=True):
    """One UTC day's closed trades; `day` is YYYY-MM-DD."""

    day: str
    mode: str
    trades: int
    wins: int
    losses: int
    pnl: Money
    fees: Money
    best_trade: Money
    worst_trade: Money


class TraceRecord(Record, frozen=True):
    """One step of a signal's life; `parent_id` is what it rests on. Texts, empty where a step has none.

    Attributes:
        part: Orders the steps of one journal row.
        what: signal, check, order, fill, position, outcome or trade.
        value: What a rule measured, beside `limit_value`, in the unit of the rule (`id` names it).
        amount: What it brought: a fill before its fee, a trade after fees and funding.
    """

    row: int
    part: int
    at_ns: int
    what: str
    id: str
    parent_id: str
    symbol: str
    state: str
    qty: str
    price: str
    value: str
    limit_value: str
    fee: str
    amount: str
    text: str


class EventRecord(Record, frozen=True):
    """One row of the journal. `body` is the fact as JSON, its money in units of 1e-8."""

    id: int
    seq: int
    run_id: str | None
    kind: str
    at_ns: int
    symbol: str
    ref: str
    body: str


class RunSummary(msgspec.Struct, frozen=True):
    """A run in figures, each computed from the rows, exactly.

    `starting_equity` is the first mark of the run, made as it starts; `equity` the last one. `signals` counts those
    raised in the run by how they ended (all six states present), whenever they did: `signals_total` = the sum of
    `signals` + `signals_in_flight`.
    """

    run_id: str
    mode: str
    phase: str
    started_ns: int
    ended_ns: int | None
    starting_equity: int
    equity: int
    realized: int
    fees: int
    funding: int
    trades: int
    wins: int
    trades_pnl: int
    orders: int
    orders_rejected: int
    fills: int
    errors: int
    signals_total: int
    signals_in_flight: int
    signals: dict[str, int]

    @property
    def net_pnl(self) -> int:
        return self.equity - self.starting_equity
