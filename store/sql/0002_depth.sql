-- What a desk that is looked at more deeply puts on record.

-- The regime by the volatility index, at every transition and every crossing within the hysteresis.
CREATE TABLE regime_changes (
    row               INTEGER PRIMARY KEY,
    run               INTEGER NOT NULL,
    mode              TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns             INTEGER NOT NULL,
    previous          TEXT NOT NULL CHECK (previous IN ('LOW', 'NORMAL', 'ELEVATED', 'CRISIS', 'UNKNOWN')),
    regime            TEXT NOT NULL CHECK (regime IN ('LOW', 'NORMAL', 'ELEVATED', 'CRISIS', 'UNKNOWN')),
    raw               TEXT NOT NULL CHECK (raw IN ('LOW', 'NORMAL', 'ELEVATED', 'CRISIS', 'UNKNOWN')),
    previous_level    TEXT NOT NULL,
    level             TEXT NOT NULL,
    of_ns             INTEGER NOT NULL,
    source            TEXT NOT NULL,
    simulated         INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    heat_limit_before TEXT NOT NULL,
    heat_limit        TEXT NOT NULL,
    exposure          TEXT NOT NULL,
    text              TEXT NOT NULL
) STRICT;
CREATE INDEX regime_changes_by_run ON regime_changes (run, row);

CREATE TABLE strategy_switches (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    strategy_id TEXT NOT NULL,
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    regime      TEXT NOT NULL
) STRICT;
CREATE INDEX strategy_switches_by_run ON strategy_switches (run, row);

CREATE TABLE exposure_spikes (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    regime      TEXT NOT NULL,
    changed_ns  INTEGER NOT NULL,
    before      TEXT NOT NULL,
    exposure    TEXT NOT NULL,
    rise        TEXT NOT NULL,
    limit_value TEXT NOT NULL
) STRICT;

-- The phase of one symbol by its prices; a run begins with all UNKNOWN.
CREATE TABLE market_phase_changes (
    row      INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    mode     TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns    INTEGER NOT NULL,
    symbol   TEXT NOT NULL,
    previous TEXT NOT NULL,
    phase    TEXT NOT NULL
) STRICT;
CREATE INDEX market_phase_changes_by_run ON market_phase_changes (run, row);

ALTER TABLE equity_marks ADD COLUMN regime TEXT NOT NULL DEFAULT '';
ALTER TABLE equity_marks ADD COLUMN volatility TEXT NOT NULL DEFAULT '0';
ALTER TABLE equity_marks ADD COLUMN phases TEXT NOT NULL DEFAULT '';

-- What strategies decided: entries, exits, and once a closed bar that they hold what they have.
CREATE TABLE decisions (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    strategy_id TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    decision    TEXT NOT NULL CHECK (decision IN ('entry', 'exit', 'hold')),
    text        TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_by_run ON decisions (run, row);

-- A signal's way through the safety layers: what each rule measured, in order, the last row the refusal if any.
CREATE TABLE evaluations (
    signal_id   TEXT NOT NULL REFERENCES signals (signal_id),
    position    INTEGER NOT NULL CHECK (position >= 1),
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    row         INTEGER NOT NULL,
    layer       INTEGER NOT NULL CHECK (layer BETWEEN 0 AND 5),
    rule        TEXT NOT NULL CHECK (rule <> ''),
    value       TEXT NOT NULL,
    limit_value TEXT NOT NULL,
    ok          INTEGER NOT NULL CHECK (ok IN (0, 1)),
    PRIMARY KEY (signal_id, position)
) STRICT, WITHOUT ROWID;

-- Orders as they stand after amends, and what was asked of the broker on the way.
ALTER TABLE orders ADD COLUMN stop_price TEXT NOT NULL DEFAULT '0';

CREATE TABLE amends (
    row        INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL,
    mode       TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns      INTEGER NOT NULL,
    order_id   TEXT NOT NULL CHECK (order_id <> ''),
    signal_id  TEXT NOT NULL,
    symbol     TEXT NOT NULL,
    qty        TEXT NOT NULL,
    price      TEXT NOT NULL,
    stop_price TEXT NOT NULL,
    text       TEXT NOT NULL
) STRICT;
CREATE INDEX amends_by_signal ON amends (signal_id, row);

-- Everything that followed from a signal, one row a step: its rules' measurements, its orders, fills, the position after
-- each, and what it brought. `part` orders the steps of one journal row.
DROP VIEW signal_trace;
CREATE VIEW signal_trace AS
SELECT signal_id, row, 0 AS part, raised_ns AS at_ns, 'signal' AS what, signal_id AS id, '' AS parent_id, symbol,
       side AS state, '' AS qty, entry AS price, '' AS value, '' AS limit_value, '' AS fee, '' AS amount,
       text || '; stop ' || stop || ', target ' || target || ', phase ' || phase || ', regime ' || regime AS text
FROM signals
UNION ALL
SELECT e.signal_id, e.row, e.position, s.raised_ns, 'check', e.rule, e.signal_id, s.symbol,
       iif(e.ok, 'passed', 'refused'), '', '', e.value, e.limit_value, '', '', 'layer ' || e.layer
FROM evaluations AS e JOIN signals AS s ON s.signal_id = e.signal_id
UNION ALL
SELECT signal_id, row, 0, placed_ns, 'order', order_id, signal_id, symbol, state, qty,
       iif(price = '0', stop_price, price), '', '', '', '', purpose || ' ' || kind
FROM orders
UNION ALL
SELECT signal_id, row, 0, at_ns, 'amend', order_id, order_id, symbol, 'asked', qty, iif(price = '0', stop_price, price),
       '', '', '', '', text
FROM amends
UNION ALL
SELECT signal_id, row, 0, filled_ns, 'fill', fill_id, order_id, symbol, role, qty, price, '', '', fee, realized, purpose
FROM fills
UNION ALL
SELECT signal_id, row, 1, filled_ns, 'position', symbol, fill_id, symbol,
       CASE WHEN position_qty = '0' THEN 'FLAT' WHEN position_qty LIKE '-%' THEN 'SHORT' ELSE 'LONG' END,
       position_qty, '', '', '', '', '', ''
FROM fills
UNION ALL
SELECT signal_id, row, 0, ended_ns, 'outcome', signal_id, signal_id, '', state, filled_qty, '', value, limit_value, '', '',
       text
FROM outcomes
UNION ALL
SELECT signal_id, row, 0, exit_ns, 'trade', trade_id, signal_id, symbol, side, qty, exit_price, '', '', fees, pnl,
       exit_reason || iif(funding = '0', '', ', funding ' || funding)
FROM trades;

-- Orders that waited for their broker's answer longer than the limit, since `since_ns`.
CREATE TABLE stuck_orders (
    row      INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    mode     TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns    INTEGER NOT NULL,
    order_id TEXT NOT NULL CHECK (order_id <> ''),
    symbol   TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    state    TEXT NOT NULL,
    since_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX stuck_orders_by_run ON stuck_orders (run, row);

-- What a fill cost beyond the price decided on, as a fraction of it (above zero: worse; NULL: no price was expected).
ALTER TABLE fills ADD COLUMN slippage TEXT;

ALTER TABLE trades ADD COLUMN duration_ns INTEGER AS (exit_ns - entry_ns) VIRTUAL;

-- What the ended day's orders came to: sent, and of these refused by the broker.
ALTER TABLE days ADD COLUMN ended_day INTEGER NOT NULL DEFAULT -1;
ALTER TABLE days ADD COLUMN orders INTEGER NOT NULL DEFAULT 0;
ALTER TABLE days ADD COLUMN rejects INTEGER NOT NULL DEFAULT 0;

-- What every order would have got under the pessimistic and the optimistic execution profile.
CREATE TABLE shadow_fills (
    row             INTEGER PRIMARY KEY,
    run             INTEGER NOT NULL,
    mode            TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    profile         TEXT NOT NULL CHECK (profile IN ('pessimistic', 'optimistic')),
    fill_id         TEXT NOT NULL CHECK (fill_id <> ''),
    order_id        TEXT NOT NULL CHECK (order_id <> ''),
    filled_ns       INTEGER NOT NULL,
    symbol          TEXT NOT NULL,
    qty             TEXT NOT NULL CHECK (qty <> '0'),
    price           TEXT NOT NULL,
    fee             TEXT NOT NULL,
    role            TEXT NOT NULL,
    slippage_source TEXT NOT NULL,
    position_qty    TEXT NOT NULL
) STRICT;
CREATE INDEX shadow_fills_by_run ON shadow_fills (run, profile, row);
CREATE INDEX shadow_fills_by_order ON shadow_fills (order_id);

-- Positions the broker closed itself, because the account no longer carried them.
CREATE TABLE liquidations (
    row      INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    mode     TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns    INTEGER NOT NULL,
    symbol   TEXT NOT NULL,
    order_id TEXT NOT NULL,
    qty      TEXT NOT NULL,
    equity   TEXT NOT NULL,
    margin   TEXT NOT NULL,
    text     TEXT NOT NULL
) STRICT;

-- Equity of the shadow books beside the desk's own; empty where there are none.
ALTER TABLE equity_marks ADD COLUMN equity_pessimistic TEXT NOT NULL DEFAULT '';
ALTER TABLE equity_marks ADD COLUMN equity_optimistic TEXT NOT NULL DEFAULT '';

-- Heat went above its limit without an entry, or came back.
CREATE TABLE heat_notes (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    above       INTEGER NOT NULL CHECK (above IN (0, 1)),
    heat        TEXT NOT NULL,
    limit_value TEXT NOT NULL
) STRICT;
CREATE INDEX heat_notes_by_run ON heat_notes (run, row);

-- Trades that lost more than one may, costs included.
CREATE TABLE loss_incidents (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    trade_id    TEXT NOT NULL CHECK (trade_id <> ''),
    signal_id   TEXT NOT NULL,
    strategy_id TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    exit_reason TEXT NOT NULL,
    loss        TEXT NOT NULL,
    limit_value TEXT NOT NULL
) STRICT;
CREATE INDEX loss_incidents_by_run ON loss_incidents (run, row);
