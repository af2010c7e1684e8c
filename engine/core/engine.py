"""The trading rules: feed it events, keep the facts, carry out the effects it asks for.

`handle` takes one event and returns what it leads to, in order. It never awaits, reads a clock, draws a random number
or opens a file; the same events give the same answers, hash for hash. For each market event the order is: time that
has come, prices and the paper broker's fills, equity and breakers, exits, and last the strategies' new proposals.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final, get_args

import msgspec

from engine.core.bars import BarBuilder
from engine.core.breakers import Breakers
from engine.core.conditions import MarketPhases
from engine.core.config import MINUTE, CoreConfig
from engine.core.desk import Desk
from engine.core.events import (
    AccountRead,
    AnyEvent,
    BalanceRead,
    Bar,
    Book,
    BrokerEvent,
    BrokerReconnected,
    Command,
    DataRejected,
    ErrorNoted,
    FeedChanged,
    FeedHealth,
    FundingRate,
    GapDetected,
    InstrumentChanged,
    PhaseEntered,
    Quote,
    RunStarted,
    SessionPhase,
    Trade,
    TradingHalted,
    VolatilityRead,
    Wake,
)
from engine.core.facts import (
    AnyEffect,
    AnyFact,
    DayRolled,
    FeedNoted,
    PhaseChanged,
    WakeAt,
)
from engine.core.funding import Settlements
from engine.core.market_hours import MarketHours
from engine.core.operator import Operator
from engine.core.outage import Outage
from engine.core.paper import PaperBroker
from engine.core.paper_state import PaperAccount, PaperState, opening_state
from engine.core.prices import Prices
from engine.core.profiles import PROFILES, models
from engine.core.regimes import Regimes
from engine.core.safety import Safety
from engine.core.shadows import Shadows
from engine.core.state import EngineState, Snapshot, SymbolState, Tally
from engine.core.strategy import ExitWish, Proposal, Strategy
from engine.core.trading import Trading
from engine.core.words import AlertKind, BlockReason, BreakerName

NOTHING: Final[list[AnyFact | AnyEffect]] = []
EQUITY_EVERY_NS: Final = MINUTE
TRADES: Final = frozenset({SessionPhase.RUNNING, SessionPhase.SHUTTING_DOWN})
"""Phases in which orders may be sent: none leaves before history is seeded, not even one that closes."""
ENDED: Final = frozenset({SessionPhase.COMPLETED, SessionPhase.FATAL_ERROR})
"""Phases a run may end in; one that ended in any other said no goodbye."""
OWN_BARS: Final = ""
"""Where the builders of bars made from ticks are kept, beside those of the strategies."""

StrategyMaker = Callable[[CoreConfig], Sequence[Strategy]]


class Engine:
    """One desk's core. `make_strategies` turns a run's configuration into its strategies."""

    def __init__(self, make_strategies: StrategyMaker, snapshot: bytes | None = None) -> None:
        self._make_strategies = make_strategies
        self.state = EngineState()
        self._paper_state: PaperState = opening_state(0)
        self._saved_strategies: dict[str, bytes] = {}
        self._builders: dict[str, dict[str, BarBuilder]] = {}  # strategy id, symbol
        self._ready = False
        self._due_ns = 0
        self._announced_ns = 0
        self._handlers: dict[type, Callable[[Any], None]] = {
            Quote: self._on_quote,
            Trade: self._on_trade,
            Book: self._on_book,
            Bar: self._on_bar,
            Wake: self._on_wake,
            FundingRate: self._on_funding_rate,
            VolatilityRead: self._on_volatility,
            FeedChanged: self._on_feed_changed,
            TradingHalted: self._on_halted,
            InstrumentChanged: self._on_instrument,
            GapDetected: self._on_gap,
            DataRejected: self._on_data_rejected,
            RunStarted: self._on_run_started,
            PhaseEntered: self._on_phase,
            Command: self._on_command,
            ErrorNoted: self._on_error,
            BalanceRead: self._on_balance,
            AccountRead: self._on_account,
            BrokerReconnected: self._on_reconnected,
        }
        for kind in get_args(BrokerEvent):
            self._handlers[kind] = self._on_broker
        if snapshot is not None:
            self._restore(snapshot)

    # --- the two doors: events in, memory out and in ---

    def handle(self, event: AnyEvent) -> list[AnyFact | AnyEffect]:
        """Everything `event` leads to, in order. The list belongs to the caller."""
        state = self.state
        state.seq += 1
        at_ns = event.at_ns
        if at_ns > state.at_ns:
            state.at_ns = at_ns
        if not self._ready:
            if not isinstance(event, RunStarted):
                return NOTHING  # before a run has begun there is nothing to decide
            self._on_run_started(event)
            return self._taken()
        if state.at_ns >= self._due_ns and not isinstance(event, RunStarted):
            self._on_time()  # what came due while no run was on is the new run's to do, and to tell
        self._handlers[type(event)](event)
        if self.desk.out:
            if self.desk.has_failed:
                self.breakers.failed()
            if state.regime.watch_until_ns:
                self.regimes.watch()
            self._plan()
            return self._taken()
        return NOTHING

    def _taken(self) -> list[AnyFact | AnyEffect]:
        out, self.desk.out = self.desk.out, []
        return out

    def snapshot(self) -> bytes:
        """The whole core as bytes; `Engine(make, snapshot)` goes on exactly from here."""
        return msgspec.msgpack.encode(
            Snapshot(
                state=self.state,
                paper=self._paper_state,
                strategies={s.strategy_id: msgspec.msgpack.encode(s.state) for s in self.strategies}
                if self._ready
                else self._saved_strategies,
                builders={
                    owner: {symbol: msgspec.msgpack.encode(b) for symbol, b in by_symbol.items()}
                    for owner, by_symbol in self._builders.items()
                },
            )
        )

    def state_hash(self) -> str:
        """Hash of everything the core remembers: equal hashes, equal futures."""
        return sha256(self.snapshot()).hexdigest()

    @property
    def decision_hash(self) -> str:
        return self.state.decision_hash.hex()

    def _restore(self, snapshot: bytes) -> None:
        saved = msgspec.msgpack.decode(snapshot, type=Snapshot)
        self.state = saved.state
        self._paper_state = saved.paper
        self._saved_strategies = saved.strategies
        self._builders = {
            owner: {symbol: msgspec.msgpack.decode(raw, type=BarBuilder) for symbol, raw in by_symbol.items()}
            for owner, by_symbol in saved.builders.items()
        }
        if self.state.config is not None:
            self._assemble()
            self._plan()
            self.desk.out.clear()
            self._announced_ns = 0  # whoever was asked to wake the desk is gone with its process

    def _assemble(self) -> None:
        """Put the parts around the state, as its configuration says."""
        self.desk = Desk(self.state)
        config = self.desk.config
        self.desk.shadows = self._shadows() if config.paper else None
        self.paper = (
            PaperBroker(self.desk.instruments, config.model, config.seed, self._paper_state, self.desk.shadows)
            if config.paper
            else None
        )
        self.safety = Safety(self.desk)
        self.regimes = Regimes(self.desk)
        self.market_phases = MarketPhases(self.desk, self.safety)
        self.breakers = Breakers(self.desk, self.safety)
        self.trading = Trading(self.desk, self.safety, self.breakers, self.paper)
        self.prices = Prices(self.desk)
        self._take_price, self._allow_price = self.prices.take, self.prices.allow
        self.funding = Settlements(self.desk, self.trading.bookkeeping, self.paper)
        self.hours = MarketHours(self.desk, self.safety, self.breakers, self.trading, self._shut)
        self._closed = self.hours.closed
        self.outage = Outage(self.desk, self.safety, self.trading, self.paper)
        self.operator = Operator(self.desk, self.safety, self.breakers, self.trading)
        self.strategies = tuple(self._make_strategies(config))
        for strategy in self.strategies:
            raw = self._saved_strategies.get(strategy.strategy_id)
            if raw is not None:
                strategy.state = msgspec.msgpack.decode(raw, type=type(strategy.state))
        self._on_bars: dict[str, tuple[Strategy, ...]] = {
            symbol: tuple(s for s in self.strategies if symbol in s.symbols) for symbol in self.desk.instruments
        }
        self._on_quotes: dict[str, tuple[Strategy, ...]] = {
            symbol: tuple(s for s in strategies if s.wants_quotes) for symbol, strategies in self._on_bars.items()
        }
        self._on_quotes = {symbol: wanting for symbol, wanting in self._on_quotes.items() if wanting}
        self._own_bars: dict[str, BarBuilder] = {}  # empty: the feed's bars are the desk's
        self._touch_matters = bool(self._on_quotes) or config.bar_ns < MINUTE  # also where nothing is held
        if config.bar_ns < MINUTE:
            self._own_bars = self._builders.setdefault(OWN_BARS, {})
            for symbol in self.desk.instruments:
                self._own_bars.setdefault(symbol, BarBuilder(symbol, config.bar_ns))
        self._ready = True

    def _shadows(self) -> Shadows | None:
        """The books of the other execution profiles; one that does not exist yet begins with what the base holds."""
        config, paper = self.desk.config, self._paper_state
        if not config.shadows:
            paper.shadows.clear()
            return None
        for profile in PROFILES:
            if profile not in paper.shadows:
                paper.shadows[profile] = PaperAccount(paper.ledger.copy())
        instruments, timeout_ns = self.desk.instruments, config.entry_timeout_ns
        return Shadows(
            instruments, models(config.model), config.seed, paper.shadows, paper.market, timeout_ns, self.desk.emit
        )

    # --- time ---

    def _plan(self) -> None:
        """Find the next time something is due, and ask to be woken then."""
        state = self.state
        times = [
            self.trading.next_due_ns() if state.phase in TRADES else 0,
            self.breakers.next_due_ns(),
            self.regimes.next_due_ns(),
            self.paper.next_due_ns if self.paper else 0,
            state.marked_ns + EQUITY_EVERY_NS if state.marked_ns else 0,
            self.funding.next_due_ns(),
            self.desk.day_end_ns if state.day >= 0 else 0,
            self.hours.next_due_ns,
        ]
        self._due_ns = max(min((at for at in times if at), default=0), state.at_ns + 1)
        if self._due_ns and self._due_ns != self._announced_ns:
            self._announced_ns = self._due_ns
            self.desk.emit(WakeAt(self._due_ns))

    def _on_time(self) -> None:
        """Do what has come due, in a fixed order."""
        state, desk = self.state, self.desk
        if self.paper is not None and 0 < self.paper.next_due_ns <= state.at_ns:
            for answer in self.paper.advance(state.at_ns):
                self.trading.answer(answer)
        self.funding.settle()
        if state.at_ns >= desk.day_end_ns:
            self._roll_day()
        self.hours.due()
        self.breakers.due()
        self.regimes.expire()
        if state.phase in TRADES:
            self.trading.due()
        if state.at_ns >= state.marked_ns + EQUITY_EVERY_NS:
            desk.mark_equity()
            desk.watch_heat()
            self.breakers.check(BreakerName.HEAT)
        self._plan()

    def _roll_day(self) -> None:
        """Begin the trading day this moment belongs to. After a change of calendar it may be the one that is on."""
        state, desk = self.state, self.desk
        due_ns = desk.day_end_ns if state.day >= 0 else 0
        day, state.day_end_ns = desk.calendar.day_at(state.at_ns)
        if day <= state.day:
            return
        ended_pnl = desk.equity - state.day_opening_equity if state.day >= 0 else 0
        ended, state.day = state.day, day
        state.day_opening_equity = state.day_base_equity = state.day_peak_equity = desk.equity
        state.errors_counted = 0
        sent, refused = state.day_orders, state.day_rejects
        missed = desk.calendar.missed(ended, day) if ended >= 0 else ()
        desk.emit(DayRolled(state.at_ns, state.day, desk.equity, ended_pnl, ended, sent, refused, due_ns, missed))
        state.day_orders = state.day_rejects = 0
        if state.phase is SessionPhase.RUNNING:
            self.trading.reconciliation.ask("day")

    # --- market data ---

    def _on_quote(self, quote: Quote) -> None:
        state, symbol = self.state, quote.symbol
        known = state.symbols.get(symbol)
        if known is None:
            return  # not one of this run's symbols
        state.tally.market_events += 1
        if symbol in self._closed or not self._take_price(known, symbol, (quote.bid + quote.ask) >> 1):
            return
        known.quote = quote
        known.last_ns = quote.at_ns
        if self.paper is not None:
            for answer in self.paper.on_quote(quote):
                self.trading.answer(answer)
        if self._touch_matters or symbol in state.positions:
            self._touched(quote)

    def _on_book(self, book: Book) -> None:
        state, symbol = self.state, book.symbol
        known = state.symbols.get(symbol)
        if known is None:
            return
        state.tally.market_events += 1
        (bid, bid_qty), (ask, ask_qty) = book.bids[0], book.asks[0]
        if symbol in self._closed or not self._take_price(known, symbol, (bid + ask) >> 1):
            return
        quote = Quote(symbol, book.at_ns, book.venue_ns, bid, ask, bid_qty, ask_qty)
        known.quote = quote
        known.last_ns = book.at_ns
        if self.paper is not None:
            for answer in self.paper.on_book(book):
                self.trading.answer(answer)
        self._touched(quote)

    def _touched(self, quote: Quote) -> None:
        """The touch of a symbol may have moved: mark, guard, get out, and only then let strategies propose."""
        symbol = quote.symbol
        if symbol in self.state.positions:
            self.desk.remark(symbol)
            self.breakers.watch_equity()
            touch = quote.bid if self.state.positions[symbol].qty > 0 else quote.ask
            self.trading.exits.watch(symbol, touch, touch)
        if self._own_bars:
            self._build(symbol, (quote.bid + quote.ask) >> 1, quote.at_ns)
        for strategy in self._on_quotes.get(symbol, ()):
            self._take(strategy, strategy.on_quote(quote, self))

    def _on_trade(self, trade: Trade) -> None:
        state, symbol = self.state, trade.symbol
        known = state.symbols.get(symbol)
        if known is None:
            return
        state.tally.market_events += 1
        judge = self._take_price if known.quote is None else self._allow_price
        if symbol in self._closed or not judge(known, symbol, trade.price):
            return
        known.last_ns = trade.at_ns
        if self.paper is not None:
            for answer in self.paper.on_trade(trade):
                self.trading.answer(answer)
        if known.quote is not None:
            return
        if symbol in state.positions:
            self.desk.remark(symbol)
            self.breakers.watch_equity()
            self.trading.exits.watch(symbol, trade.price, trade.price)
        if self._own_bars:
            self._build(symbol, trade.price, trade.at_ns)

    def _build(self, symbol: str, price: int, at_ns: int) -> None:
        """Collect a price into the desk's own bars; the bar it closed goes where a bar of the feed would."""
        closed = self._own_bars[symbol].add(price, 0, at_ns)
        if closed is not None:
            self._learn(self.state.symbols[symbol], closed)
            self._on_closed_bar(closed)

    def _on_bar(self, bar: Bar) -> None:
        known = self.state.symbols.get(bar.symbol)
        if known is None or bar.start_ns <= known.bar_start_ns:
            return  # a repeat or a late bar never rewrites a decision
        known.bar_start_ns = bar.start_ns
        if not bar.backfilled:
            self.state.tally.market_events += 1
            if not self.prices.allow_bar(known, bar):
                return
        if not self._own_bars:
            self._learn(known, bar)
        if bar.backfilled:
            self.outage.meet(bar)
        elif not self._closed or self.hours.was_open(bar.symbol, bar.start_ns):
            self._price_from_bar(known, bar)
        if not self._own_bars:
            self._on_closed_bar(bar)

    def _learn(self, known: SymbolState, bar: Bar) -> None:
        """What is known of the market follows each closed bar, before anything is judged by it."""
        self.market_phases.follow(known, bar)
        self.desk.correlations.add(bar)

    def _on_closed_bar(self, bar: Bar) -> None:
        """A bar of the desk's shortest span has closed: the strategies' turn."""
        for strategy in self._on_bars[bar.symbol]:
            longer = bar if strategy.span_ns == bar.span_ns else self._builder(strategy, bar).add_bar(bar)
            if longer is not None:
                self._take(strategy, strategy.on_bar(longer, self), silent=longer.backfilled)
        if not bar.backfilled:
            self.trading.hold(bar.symbol)

    def _price_from_bar(self, known: SymbolState, bar: Bar) -> None:
        """Bars carry fills and exits only where no quotes come."""
        if self.paper is not None:
            for answer in self.paper.on_bar(bar):
                self.trading.answer(answer)
        if known.quote is not None:
            return
        self.prices.take_close(known, bar)
        known.last_ns = bar.at_ns
        if bar.symbol in self.state.positions:
            self.desk.remark(bar.symbol)
            self.breakers.watch_equity()
            self.trading.exits.watch(bar.symbol, bar.low, bar.high)

    def _builder(self, strategy: Strategy, bar: Bar) -> BarBuilder:
        by_symbol = self._builders.setdefault(strategy.strategy_id, {})
        builder = by_symbol.get(bar.symbol)
        if builder is None:
            builder = by_symbol[bar.symbol] = BarBuilder(bar.symbol, strategy.span_ns)
        return builder

    def _take(self, strategy: Strategy, wishes: Sequence[Proposal | ExitWish], silent: bool = False) -> None:
        """Act on what a strategy wishes; while history is seeded or backfilled, wishes to enter are dropped."""
        for wish in wishes:
            if isinstance(wish, ExitWish):
                holding = self.state.holdings.get(wish.symbol)
                if holding is not None and holding.strategy_id == strategy.strategy_id:
                    self.trading.leave(holding, wish)
            elif not silent and self.state.phase is SessionPhase.RUNNING:
                self.trading.entries.propose(strategy.strategy_id, wish)

    def _on_funding_rate(self, rate: FundingRate) -> None:
        self.funding.told(rate)
        self._plan()

    def _on_volatility(self, read: VolatilityRead) -> None:
        self.regimes.read(read)

    # what a strategy may look at (the `Market` port)

    def quote(self, symbol: str) -> Quote | None:
        known = self.state.symbols.get(symbol)
        return known.quote if known else None

    def tick(self, symbol: str) -> int:
        return self.desk.instruments[symbol].tick

    def is_busy(self, symbol: str) -> bool:
        return self.trading.entries.is_busy(symbol)

    # --- the feed's health ---

    def _on_feed_changed(self, event: FeedChanged) -> None:
        symbols = [event.symbol] if event.symbol else list(self.desk.instruments)
        for symbol in symbols:
            if symbol in self.state.symbols:
                self.state.symbols[symbol].health = event.health
        if event.health is not FeedHealth.LIVE:
            if all(symbol in self._closed for symbol in symbols):
                return  # a closed market owes no data
            self.state.tally.stale += 1
        kind = "FEED_LIVE" if event.health is FeedHealth.LIVE else "ORDER_BOOK_STALE"
        text = event.detail or f"{event.symbol or 'the feed'} is {event.health.value}"
        self.desk.emit(FeedNoted(event.at_ns, event.symbol, kind, text, event.age_ns))
        self.hours.judge_feed(text)

    def _on_halted(self, event: TradingHalted) -> None:
        known = self.state.symbols.get(event.symbol)
        if known is None or known.halted is event.halted:
            return
        known.halted = event.halted
        self._shut(event.symbol, event.symbol in self._closed)
        kind = "TRADING_HALTED" if event.halted else "TRADING_RESUMED"
        self.desk.emit(FeedNoted(event.at_ns, event.symbol, kind, event.text))

    def _on_instrument(self, event: InstrumentChanged) -> None:
        """A symbol's rules changed, or it is gone: nothing enters it by the old ones, and what is held may leave."""
        known = self.state.symbols.get(event.symbol)
        if known is None or known.changed == event.text:
            return
        known.changed = event.text
        text = event.text or "its rules are those the run began with again"
        self.desk.emit(FeedNoted(event.at_ns, event.symbol, "INSTRUMENT_CHANGED", text))
        if event.text:
            self.desk.alert(AlertKind.INSTRUMENT_CHANGED, f"{event.symbol}: {event.text}")
            self.trading.blotter.cancel_entries(event.text, event.symbol)

    def _shut(self, symbol: str, closed: bool) -> None:
        """A market closes or opens, or is halted or goes on: nothing fills in between, nor on what was shown before."""
        if self.paper is not None:
            halted = closed or self.state.symbols[symbol].halted
            self.paper.on_halt(TradingHalted(symbol, self.state.at_ns, halted))

    def _on_gap(self, gap: GapDetected) -> None:
        if self.hours.was_closed(gap.symbol, gap.prev_ns + MINUTE, gap.curr_ns):
            return  # a closed market makes no bars
        self.state.tally.gaps += 1
        text = f"{gap.missing} bars missing"
        self.desk.emit(FeedNoted(gap.at_ns, gap.symbol, "GAP_DETECTED", text, gap.missing, gap.prev_ns, gap.curr_ns))

    def _on_data_rejected(self, event: DataRejected) -> None:
        self.state.tally.refuse(event)
        text = f"{event.reason} at {event.where}"
        self.desk.emit(FeedNoted(event.at_ns, event.symbol, "DATA_REJECTED", text, event.count))

    # --- broker, session, operator ---

    def _on_broker(self, event: BrokerEvent) -> None:
        self.trading.answer(event)

    def _on_wake(self, event: Wake) -> None:
        """Time has been looked at already; nothing else to do."""
        self._announced_ns = 0
        self._plan()

    def _on_run_started(self, event: RunStarted) -> None:
        """Begin a run on the desk's books: new counters, the books as they were."""
        state = self.state
        first = not state.funded
        crashed = "" if not state.run_id or state.phase in ENDED else state.run_id
        state.config, state.run_id, state.seq = event.config, event.run_id, 1
        state.decision_hash = bytes(32)
        state.phase, state.run_started_ns = SessionPhase.INITIALIZING, state.at_ns
        state.errors_counted = 0
        if first:
            state.cash, state.funded = event.config.starting_equity, True
            self._paper_state = opening_state(event.config.starting_equity)
        if self._ready:
            self._saved_strategies = {}  # indicators are seeded anew: the market moved on while the desk was away
            self._builders = {}
        state.returns, state.balance = {}, None
        self._assemble()
        state.tally = Tally(starting_equity=self.desk.equity, starting_unrealized=self.desk.unrealized)
        if first:
            self.trading.bookkeeping.deposit(event.config.starting_equity)
        self.trading.bookkeeping.open()
        state.tally.starting_shadows = {
            profile: equity for profile in PROFILES if (equity := self.desk.shadow_equity(profile)) is not None
        }
        for symbol, known in state.symbols.items():
            if known.halted:
                self._on_halted(TradingHalted(symbol, event.at_ns, False, "a halt ends with its run"))
            known.quote, known.bar_start_ns, known.health = None, 0, FeedHealth.LIVE
            known.changed = ""  # the run has the rules of now
        for reason in (BlockReason.SHUTTING_DOWN, BlockReason.STALE_DATA):
            self.safety.unblock(reason, "a new run has begun")
        state.recent.outage_since_ns = 0
        self.safety.block(BlockReason.STARTING, "the session is starting")
        if crashed:
            self.safety.crashed(crashed)
        self._roll_day()
        self.hours.follow()
        self.hours.tell_all()
        state.day_base_equity = state.day_base_equity or state.day_opening_equity
        state.peak_equity = max(state.peak_equity, self.desk.equity)
        self.market_phases.begin()
        self.regimes.begin()
        self.trading.entries.end_stranded()
        self.trading.reconciliation.begin()
        self.outage.begin()
        if self.paper is None:
            self.trading.blotter.doubt_all()
        if event.killed:
            self.safety.kill(event.kill_source, "nightdesk", "the kill switch stood at the start")
        else:
            self.safety.rearm("start", "nightdesk", "re-armed while the desk was stopped")
        self.desk.mark_equity()
        self._plan()

    def _on_phase(self, event: PhaseEntered) -> None:
        self.state.phase, self.state.keeps = event.phase, event.keeps
        self.desk.emit(PhaseChanged(event.at_ns, event.previous.value, event.phase.value, event.reason))
        if event.phase is SessionPhase.RUNNING:
            self.safety.unblock(BlockReason.STARTING, "history seeded")
            self.regimes.open()
            self.market_phases.open()
            self.trading.exits.protect_all()
            self.trading.reconciliation.open()
            self.outage.end()
        elif event.phase is SessionPhase.SHUTTING_DOWN:
            self.safety.block(BlockReason.SHUTTING_DOWN, f"the session is ending: {event.reason}")
        elif event.phase is SessionPhase.COMPLETED:
            self.trading.entries.end_stranded()
            if self.paper is not None:
                self.paper.finish(event.at_ns)
            self.desk.mark_equity()

    def _on_command(self, command: Command) -> None:
        self.operator.act(command)

    def _on_balance(self, read: BalanceRead) -> None:
        self.trading.account.heard(read)

    def _on_account(self, read: AccountRead) -> None:
        self.trading.reconciliation.take(read)

    def _on_reconnected(self, event: BrokerReconnected) -> None:
        self.trading.reconciliation.reconnected()

    def _on_error(self, event: ErrorNoted) -> None:
        self.desk.fail(event.where, event.text, event.fingerprint)
