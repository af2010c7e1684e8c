"""What an operator's command does: every act is recorded with who, by which way, and what it changed."""

from collections.abc import Callable
from typing import Final

from engine.core.breakers import Breakers
from engine.core.desk import Desk
from engine.core.events import Act, Command
from engine.core.facts import OperatorActed, StopSession
from engine.core.reconciliation import REQUEST
from engine.core.safety import Safety
from engine.core.trading import Trading
from engine.core.words import BlockReason, BreakerName, ExitReason

AT_LAST_PRICE: Final = "last-price"
"""Subject of a CLOSE_ALL for a market that will say no more: what still waits for a price takes the last one."""

BY_THE_SHELL: Final = "session"
"""Source of acts the session does on the desk's behalf: recorded, but no operator's intervention."""

LIFTED_BY_RESUME: Final = (BlockReason.OPERATOR, BlockReason.RESTORED, BlockReason.OUTAGE, BlockReason.CRASH_LOOP)
"""What waits for a person to have looked."""

ENTRIES: Final = "entries"
"""Subject of a cancel-all that leaves the orders alone which protect positions."""


def intervenes(source: str, act: str) -> bool:
    """Whether an act is an operator's intervention: the desk's own are none, and to have read an alert is none."""
    return source != BY_THE_SHELL and act != Act.ACKNOWLEDGE


class Operator:
    """Carries out commands on one desk."""

    def __init__(self, desk: Desk, safety: Safety, breakers: Breakers, trading: Trading) -> None:
        self._desk = desk
        self._safety = safety
        self._breakers = breakers
        self._trading = trading
        self._acts: dict[Act, Callable[[Command], tuple[bool, str]]] = {
            Act.PAUSE: self._pause,
            Act.RESUME: self._resume,
            Act.KILL: self._kill,
            Act.REARM: self._rearm,
            Act.FLATTEN: self._flatten,
            Act.RESET_BREAKER: self._reset_breaker,
            Act.CANCEL_ALL: self._cancel_all,
            Act.CLOSE_ALL: self._close_all,
            Act.BLOCK: self._block,
            Act.UNBLOCK: self._unblock,
            Act.RECONCILE: self._reconcile,
            Act.ACKNOWLEDGE: self._acknowledge,
        }

    def act(self, command: Command) -> None:
        """Do what `command` asks, or refuse with the reason; either way it is on record."""
        before = self._standing()
        accepted, text = self._acts[command.act](command)
        if intervenes(command.source, command.act):
            self._desk.state.tally.operator_acts += 1
        self._desk.emit(
            OperatorActed(
                at_ns=command.at_ns,
                act=command.act.value,
                source=command.source,
                actor=command.actor,
                text=f"{text} ({command.reason})" if command.reason else text,
                accepted=accepted,
                before=before,
                after=self._standing(),
            )
        )

    def _standing(self) -> str:
        return ", ".join(self._desk.state.blocks) or "trading"

    def _pause(self, command: Command) -> tuple[bool, str]:
        self._safety.block(BlockReason.OPERATOR, f"paused by {command.actor}", command.actor)
        return True, "entries paused, working ones cancelled; positions keep their stops"

    def _resume(self, command: Command) -> tuple[bool, str]:
        lifted = [
            reason
            for reason in LIFTED_BY_RESUME
            if self._safety.unblock(reason, f"resumed by {command.actor}", command.actor)
        ]
        left = self._left()
        if left:
            return bool(lifted), f"{'pause lifted, but ' if lifted else ''}entries stay blocked by {left}"
        return True, "entries resumed" if lifted else "entries were not paused"

    def _left(self) -> str:
        """The blocks in force, each with what lifts it."""
        return ", ".join(f"{reason} ({block.lifts})" for reason, block in self._desk.state.blocks.items())

    def _kill(self, command: Command) -> tuple[bool, str]:
        fresh = self._safety.kill(command.source, command.actor, command.reason)
        why, closing = f"kill by {command.actor}", "positions stay"
        if self._desk.config.kill_closes:
            orders, closing = len(self._desk.state.orders), self._closing()
            self._trading.blotter.cancel_all_open_orders(why)
            self._trading.exits.exit_all(ExitReason.KILL)
        else:
            orders = len(self._desk.entries())
            self._trading.blotter.cancel_entries(why)
        self._desk.emit(StopSession("kill_switch", 0))
        words = f"{orders} orders being cancelled, {closing}"
        return True, f"killed: {words}" if fresh else f"already killed: {words}"

    def _rearm(self, command: Command) -> tuple[bool, str]:
        if not command.reason:
            return False, "rearm needs a reason"
        if not self._safety.rearm(command.source, command.actor, command.reason):
            return False, "the kill switch is not latched"
        left = self._left()
        return True, f"kill latch cleared; entries {f'stay blocked by {left}' if left else 'are open'}"

    def _flatten(self, command: Command) -> tuple[bool, str]:
        self._safety.block(BlockReason.OPERATOR, f"flattened by {command.actor}", command.actor)
        self._trading.blotter.cancel_all_open_orders(f"flatten by {command.actor}")
        closing = self._closing()
        self._trading.exits.exit_all(ExitReason.FORCE_CLOSE)
        return True, f"{closing}; entries paused"

    def _reset_breaker(self, command: Command) -> tuple[bool, str]:
        if not command.reason:
            return False, "reset-breaker needs a reason"
        known = [*BreakerName, BlockReason.LIQUIDATION.value]
        if command.subject not in ("", *known):
            return False, f"no breaker is called {command.subject}; there are {', '.join(known)}"
        names = [n for n in BreakerName if command.subject in ("", n.value)]
        done = [name.value for name in names if self._breakers.reset(name, command.reason)]
        if command.subject in ("", BlockReason.LIQUIDATION) and self._safety.unblock(
            BlockReason.LIQUIDATION, command.reason, command.actor
        ):
            done.append(BlockReason.LIQUIDATION.value)
        return bool(done), f"reset {', '.join(done)}" if done else "no such breaker is tripped"

    def _cancel_all(self, command: Command) -> tuple[bool, str]:
        if command.subject == ENTRIES:
            count = len(self._desk.entries())
            self._trading.blotter.cancel_entries(f"cancel-all by {command.actor}")
            return True, f"{count} entry orders being cancelled; stops and targets stay"
        count = len(self._desk.state.orders)
        self._trading.exits.withdraw()
        self._trading.blotter.cancel_all_open_orders(f"cancel-all by {command.actor}")
        return True, f"{count} orders being cancelled"

    def _close_all(self, command: Command) -> tuple[bool, str]:
        closing = self._closing()
        self._trading.exits.exit_all(ExitReason.SHUTDOWN)
        if command.subject == AT_LAST_PRICE:
            count = len(self._desk.state.holdings)
            self._trading.close_at_last()
            return True, f"{count - len(self._desk.state.holdings)} positions closed at the last known price"
        return True, closing

    def _closing(self) -> str:
        """How many positions are closed now, and how many cannot be before their market opens."""
        symbols = self._desk.state.holdings
        waiting = sum(not self._desk.is_open(symbol) for symbol in symbols)
        words = f"{len(symbols) - waiting} positions being closed"
        return f"{words}, {waiting} waiting for their market to open" if waiting else words

    def _reconcile(self, command: Command) -> tuple[bool, str]:
        if not command.subject:
            self._trading.reconciliation.ask(REQUEST)
            return True, "the books are being compared"
        if not command.reason:
            return False, "adopting the broker's books needs a reason"
        return self._trading.adoption.adopt(command.subject, command.reason, command.actor)

    def _acknowledge(self, command: Command) -> tuple[bool, str]:
        return True, "alerts acknowledged"

    def _block(self, command: Command) -> tuple[bool, str]:
        self._safety.block(BlockReason(command.subject), command.reason, command.actor)
        return True, f"blocked by {command.subject}"

    def _unblock(self, command: Command) -> tuple[bool, str]:
        done = self._safety.unblock(BlockReason(command.subject), command.reason, command.actor)
        return done, f"{command.subject} lifted" if done else f"{command.subject} did not stand"
