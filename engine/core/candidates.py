"""From a proposal to the candidate the safety layers judge: its size, what it would add, and how the desk stands."""

from engine.core import money
from engine.core.account import Account
from engine.core.breakers import Breakers
from engine.core.candidate import Candidate, loss_at_stop, size, too_small
from engine.core.conditions import should_trade
from engine.core.config import Instrument
from engine.core.desk import Desk
from engine.core.orders import on_tick
from engine.core.pace import Sent
from engine.core.safety import Safety
from engine.core.state import SymbolState
from engine.core.strategy import Proposal

NOTHING_KNOWN = SymbolState()
"""Of a symbol that is not the run's."""


class Candidates:
    """Makes the candidates of one desk."""

    def __init__(self, desk: Desk, safety: Safety, breakers: Breakers, account: Account) -> None:
        self._desk = desk
        self._safety = safety
        self._breakers = breakers
        self._account = account

    def make(self, strategy_id: str, proposal: Proposal) -> Candidate:
        """The candidate of a proposal that is not yet a signal."""
        desk, state, config, limits = self._desk, self._desk.state, self._desk.config, self._desk.config.limits
        symbol, sign = proposal.symbol, proposal.side.sign
        known = state.symbols.get(symbol, NOTHING_KNOWN)
        instrument = desk.instruments.get(symbol)
        strategy = desk.strategy(strategy_id)
        answer = should_trade(known.phase, state.regime.regime, strategy, config.phases.volatile)
        share = money.mul(answer.share, strategy.weight)
        price = self._price(proposal, instrument)
        qty = size(proposal, instrument, config, price, share) if instrument else 0
        notional, loss = money.mul(price, qty), loss_at_stop(price, proposal.stop, qty, instrument)
        standing = desk.stakes.standing()
        held_qty, held_value = desk.stakes.in_symbol(symbol) if symbol in standing.sides else (0, 0)
        equity = desk.equity
        free_margin, balance_age_ns = self._account.free_margin()
        breaker, breaker_text = self._breakers.refusal()
        blocks, block_text = self._safety.standing()
        sent = Sent(state.at_ns, strategy_id, symbol, proposal.side, price)
        return Candidate(
            proposal=proposal,
            instrument=instrument,
            limits=limits,
            qty=qty,
            price=price,
            notional=notional,
            loss=loss,
            last=known.last,
            mid=(known.quote.bid + known.quote.ask) >> 1 if known.quote is not None else 0,
            last_age_ns=state.at_ns - known.last_ns,
            is_open=desk.is_open(symbol),
            halted=known.halted,
            changed=known.changed,
            conditions=answer,
            killed=state.killed,
            blocks=blocks,
            block_text=block_text,
            breaker=breaker,
            breaker_text=breaker_text,
            open_positions=len(standing.sides),
            symbol_positions=desk.occupants(symbol),
            position_qty=abs(held_qty + sign * qty),
            position_notional=abs(held_value + sign * notional),
            gross=standing.gross + notional,
            net=sign * standing.net + (standing.entering_long if sign > 0 else standing.entering_short) + notional,
            risk=standing.risk + loss + money.mul(limits.gap_allowance, notional),
            heat_limit=desk.heat_limit(),
            day_loss_left=self._breakers.gauges.daily_loss_limit() - state.day_base_equity + equity,
            equity=equity,
            margin=self._account.margin(notional, instrument),
            free_margin=free_margin,
            balance_age_ns=balance_age_ns,
            alike=desk.correlations.alike(symbol, sign, standing.sides.items()),
            since_same_ns=state.pace.since_same(sent, limits.duplicate_window_ns),
            orders_last_minute=state.pace.orders(state.at_ns),
            messages_last_minute=state.pace.messages(state.at_ns),
            too_small="" if qty or instrument is None else too_small(proposal, instrument, config, price, share),
        )

    def _price(self, proposal: Proposal, instrument: Instrument | None) -> int:
        """What a unit is expected to cost: the limit, on the grid, or the touch a market order takes."""
        if proposal.entry and instrument is not None:
            return on_tick(proposal.entry, instrument.tick, proposal.side.sign)
        return proposal.entry or self._desk.mark(proposal.symbol, -proposal.side.sign)
