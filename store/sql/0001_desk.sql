-- The desk's memory. `desk`, `journal` and `snapshots` are the record; every other table is computed from the journal
-- and can be rebuilt from it. Money, prices, quantities and ratios are decimal TEXT; times are INTEGER nanoseconds
-- since 1970 in UTC. A column `<x>_e8` is the exact integer of the text `<x>` in units of 1e-8, for sums in SQL.

CREATE TABLE desk (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    env        TEXT NOT NULL CHECK (env IN ('paper', 'live')),
    desk_id    TEXT NOT NULL CHECK (desk_id <> ''),
    created_ns INTEGER NOT NULL
) STRICT;
CREATE TRIGGER desk_keeps_its_stamp BEFORE UPDATE ON desk
BEGIN SELECT RAISE(ABORT, 'the stamp of a desk is never changed'); END;
CREATE TRIGGER desk_is_never_deleted BEFORE DELETE ON desk
BEGIN SELECT RAISE(ABORT, 'the stamp of a desk is never deleted'); END;

CREATE TABLE migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_ns INTEGER NOT NULL
) STRICT;

-- One row per fact (body: JSON) and one per batch for all its inputs (kind 'block'; body: codec of store/blocks.py).
-- `seq` is the input that caused a fact, or a block's first input; `inputs` is how many a block holds.
-- `hash` covers the row before and every other column (store/chain.py).
CREATE TABLE journal (
    id     INTEGER PRIMARY KEY,
    seq    INTEGER NOT NULL CHECK (seq >= 0),
    inputs INTEGER NOT NULL CHECK (inputs >= 0),
    run    INTEGER NOT NULL CHECK (run >= 0),
    kind   TEXT NOT NULL CHECK (kind <> ''),
    at_ns  INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    ref    TEXT NOT NULL,
    body   ANY NOT NULL,
    hash   BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER journal_only_grows BEFORE INSERT ON journal
WHEN NEW.id <> (SELECT coalesce(max(id), 0) + 1 FROM journal)
BEGIN SELECT RAISE(ABORT, 'journal rows are only added at the end'); END;
CREATE TRIGGER journal_is_never_changed BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'journal rows are never changed'); END;
CREATE TRIGGER journal_is_never_deleted BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'journal rows are never deleted'); END;
CREATE INDEX journal_by_kind ON journal (kind, id);
CREATE INDEX journal_blocks ON journal (seq) WHERE kind = 'block';
CREATE INDEX journal_by_time ON journal (at_ns, id);
CREATE INDEX journal_by_symbol ON journal (symbol, id) WHERE symbol <> '';
CREATE INDEX journal_by_ref ON journal (ref, id) WHERE ref <> '';

-- The core's state after input `seq`, compressed. `is_start` marks the one a run began with, which is kept.
CREATE TABLE snapshots (
    row      INTEGER PRIMARY KEY REFERENCES journal (id),
    run      INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    is_start INTEGER NOT NULL CHECK (is_start IN (0, 1)),
    sha256   BLOB NOT NULL CHECK (length(sha256) = 32),
    state    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX snapshots_run_start ON snapshots (run) WHERE is_start = 1;

CREATE TABLE runs (
    run             INTEGER PRIMARY KEY,
    run_id          TEXT NOT NULL UNIQUE CHECK (run_id <> ''),
    mode            TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    first_row       INTEGER NOT NULL,
    started_ns      INTEGER NOT NULL,
    ended_ns        INTEGER,
    phase           TEXT NOT NULL DEFAULT '',
    seed            INTEGER,
    starting_equity TEXT,
    config_hash     TEXT NOT NULL DEFAULT '',
    report          TEXT
) STRICT;

CREATE TABLE signals (
    signal_id   TEXT PRIMARY KEY CHECK (signal_id <> ''),
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    raised_ns   INTEGER NOT NULL,
    row         INTEGER NOT NULL,
    strategy_id TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('LONG', 'SHORT')),
    entry       TEXT NOT NULL,
    stop        TEXT NOT NULL,
    target      TEXT NOT NULL,
    phase       TEXT NOT NULL,
    regime      TEXT NOT NULL,
    text        TEXT NOT NULL
) STRICT;
CREATE INDEX signals_by_run ON signals (run, row);
CREATE INDEX signals_by_row ON signals (row);

-- How each signal ended: once, in one of six states, a rejection never without its reason.
CREATE TABLE outcomes (
    signal_id   TEXT PRIMARY KEY REFERENCES signals (signal_id),
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    ended_ns    INTEGER NOT NULL,
    row         INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('EXECUTED', 'REJECTED_BY_CORRELATION', 'REJECTED_BY_HEAT',
                                               'REJECTED_BY_CIRCUIT_BREAKER', 'REJECTED_BY_SIZING',
                                               'REJECTED_BY_BROKER')),
    reason_code TEXT NOT NULL CHECK (reason_code <> ''),
    text        TEXT NOT NULL CHECK (state = 'EXECUTED' OR trim(text) <> ''),
    value       TEXT NOT NULL,
    limit_value TEXT NOT NULL,
    filled_qty  TEXT NOT NULL
) STRICT;
CREATE INDEX outcomes_by_run ON outcomes (run, state);

CREATE TABLE orders (
    order_id       TEXT PRIMARY KEY CHECK (order_id <> ''),
    signal_id      TEXT NOT NULL,
    run            INTEGER NOT NULL,
    mode           TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    placed_ns      INTEGER NOT NULL,
    updated_ns     INTEGER NOT NULL,
    row            INTEGER NOT NULL,
    strategy_id    TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    purpose        TEXT NOT NULL,
    kind           TEXT NOT NULL,
    tif            TEXT NOT NULL,
    qty            TEXT NOT NULL,
    price          TEXT NOT NULL,
    reduce_only    INTEGER NOT NULL CHECK (reduce_only IN (0, 1)),
    state          TEXT NOT NULL CHECK (state IN ('NEW', 'SUBMITTED', 'ACCEPTED', 'PARTIALLY_FILLED', 'FILLED',
                                                  'PENDING_CANCEL', 'CANCELED', 'REJECTED', 'EXPIRED', 'UNKNOWN')),
    filled_qty     TEXT NOT NULL,
    average_price  TEXT NOT NULL,
    reason_code    TEXT NOT NULL,
    text           TEXT NOT NULL,
    venue_order_id TEXT NOT NULL
) STRICT;
CREATE INDEX orders_by_run ON orders (run, row);
CREATE INDEX orders_by_row ON orders (row);
CREATE INDEX orders_by_signal ON orders (signal_id);

CREATE TABLE fills (
    fill_id          TEXT NOT NULL CHECK (fill_id <> ''),
    order_id         TEXT NOT NULL CHECK (order_id <> ''),
    signal_id        TEXT NOT NULL,
    run              INTEGER NOT NULL,
    mode             TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    filled_ns        INTEGER NOT NULL,
    row              INTEGER NOT NULL,
    strategy_id      TEXT NOT NULL,
    symbol           TEXT NOT NULL,
    purpose          TEXT NOT NULL,
    qty              TEXT NOT NULL CHECK (qty <> '0'),
    price            TEXT NOT NULL,
    fee              TEXT NOT NULL,
    role             TEXT NOT NULL,
    realized         TEXT NOT NULL,
    expected         TEXT NOT NULL,
    position_qty     TEXT NOT NULL,
    order_to_fill_ns INTEGER NOT NULL,
    fee_source       TEXT NOT NULL,
    slippage_source  TEXT NOT NULL,
    late             INTEGER NOT NULL CHECK (late IN (0, 1)),
    PRIMARY KEY (order_id, fill_id)
) STRICT;
CREATE INDEX fills_by_run ON fills (run, row);
CREATE INDEX fills_by_row ON fills (row);
CREATE INDEX fills_by_id ON fills (fill_id);
CREATE INDEX fills_by_signal ON fills (signal_id);

-- What is open now. `cost` is what the open quantity cost, signed like it; `entry_price` is their quotient.
CREATE TABLE positions (
    symbol      TEXT PRIMARY KEY,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    qty         TEXT NOT NULL CHECK (qty <> '0'),
    cost        TEXT NOT NULL,
    entry_price TEXT NOT NULL,
    opened_ns   INTEGER NOT NULL,
    updated_ns  INTEGER NOT NULL,
    signal_id   TEXT NOT NULL,
    strategy_id TEXT NOT NULL
) STRICT;

CREATE TABLE trades (
    trade_id    TEXT PRIMARY KEY CHECK (trade_id <> ''),
    signal_id   TEXT NOT NULL,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    row         INTEGER NOT NULL,
    strategy_id TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('LONG', 'SHORT')),
    qty         TEXT NOT NULL,
    entry_price TEXT NOT NULL,
    exit_price  TEXT NOT NULL,
    entry_ns    INTEGER NOT NULL,
    exit_ns     INTEGER NOT NULL,
    pnl         TEXT NOT NULL,
    fees        TEXT NOT NULL,
    funding     TEXT NOT NULL,
    exit_reason TEXT NOT NULL,
    phase       TEXT NOT NULL,
    regime      TEXT NOT NULL,
    exit_day    INTEGER AS (exit_ns / 86400000000000) VIRTUAL,
    pnl_e8      INTEGER AS (CAST(replace(pnl, '.', '') || substr('00000000', 1, 8 - max(length(pnl) - instr(pnl || '.', '.'), 0)) AS INTEGER)) VIRTUAL,
    fees_e8     INTEGER AS (CAST(replace(fees, '.', '') || substr('00000000', 1, 8 - max(length(fees) - instr(fees || '.', '.'), 0)) AS INTEGER)) VIRTUAL
) STRICT;
CREATE INDEX trades_by_run ON trades (run, row);
CREATE INDEX trades_by_row ON trades (row);
CREATE INDEX trades_by_signal ON trades (signal_id);
CREATE INDEX trades_by_day ON trades (exit_day, mode);

CREATE TABLE equity_marks (
    row        INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL,
    mode       TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns      INTEGER NOT NULL,
    equity     TEXT NOT NULL,
    cash       TEXT NOT NULL,
    unrealized TEXT NOT NULL,
    realized   TEXT NOT NULL,
    fees       TEXT NOT NULL,
    funding    TEXT NOT NULL,
    exposure   TEXT NOT NULL,
    heat       TEXT NOT NULL,
    drawdown   TEXT NOT NULL
) STRICT;
CREATE INDEX equity_marks_by_run ON equity_marks (run, row);

CREATE TABLE block_changes (
    row    INTEGER PRIMARY KEY,
    run    INTEGER NOT NULL,
    mode   TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns  INTEGER NOT NULL,
    reason TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    text   TEXT NOT NULL,
    lifts  TEXT NOT NULL,
    actor  TEXT NOT NULL
) STRICT;
CREATE INDEX block_changes_by_reason ON block_changes (reason, row);

CREATE TABLE breaker_changes (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    name        TEXT NOT NULL,
    tripped     INTEGER NOT NULL CHECK (tripped IN (0, 1)),
    value       TEXT NOT NULL,
    limit_value TEXT NOT NULL,
    text        TEXT NOT NULL,
    action      TEXT NOT NULL
) STRICT;
CREATE INDEX breaker_changes_by_name ON breaker_changes (name, row);

CREATE TABLE kill_changes (
    row     INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL,
    mode    TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns   INTEGER NOT NULL,
    latched INTEGER NOT NULL CHECK (latched IN (0, 1)),
    source  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    text    TEXT NOT NULL
) STRICT;

CREATE TABLE operator_acts (
    row      INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    mode     TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns    INTEGER NOT NULL,
    act      TEXT NOT NULL,
    source   TEXT NOT NULL,
    actor    TEXT NOT NULL,
    text     TEXT NOT NULL,
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    before   TEXT NOT NULL,
    after    TEXT NOT NULL
) STRICT;

CREATE TABLE phase_changes (
    row      INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    mode     TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns    INTEGER NOT NULL,
    previous TEXT NOT NULL,
    phase    TEXT NOT NULL,
    text     TEXT NOT NULL
) STRICT;

CREATE TABLE funding (
    row    INTEGER PRIMARY KEY,
    run    INTEGER NOT NULL,
    mode   TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns  INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    qty    TEXT NOT NULL,
    mark   TEXT NOT NULL,
    rate   TEXT NOT NULL,
    amount TEXT NOT NULL
) STRICT;
CREATE INDEX funding_by_run ON funding (run, row);

CREATE TABLE days (
    row            INTEGER PRIMARY KEY,
    run            INTEGER NOT NULL,
    mode           TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns          INTEGER NOT NULL,
    day            INTEGER NOT NULL,
    opening_equity TEXT NOT NULL,
    ended_pnl      TEXT NOT NULL
) STRICT;

CREATE TABLE feed_notes (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    symbol      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    text        TEXT NOT NULL,
    value       INTEGER NOT NULL,
    previous_ns INTEGER NOT NULL,
    current_ns  INTEGER NOT NULL
) STRICT;
CREATE INDEX feed_notes_by_run ON feed_notes (run, row);

CREATE TABLE errors (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    place       TEXT NOT NULL,
    text        TEXT NOT NULL,
    fingerprint TEXT NOT NULL
) STRICT;
CREATE INDEX errors_by_run ON errors (run, row);

-- Views: the same rows as people ask for them.

CREATE VIEW open_positions AS
SELECT symbol, mode, CASE WHEN qty LIKE '-%' THEN 'SHORT' ELSE 'LONG' END AS side, qty, entry_price, cost,
       opened_ns, updated_ns, signal_id, strategy_id
FROM positions;

CREATE VIEW trade_records AS
SELECT trade_id, signal_id, run, mode, strategy_id, symbol, side, qty,
       strftime('%Y-%m-%dT%H:%M:%SZ', entry_ns / 1000000000, 'unixepoch') AS entry_date,
       strftime('%Y-%m-%dT%H:%M:%SZ', exit_ns / 1000000000, 'unixepoch') AS exit_date,
       entry_price AS entry_premium, exit_price AS exit_premium, entry_price, exit_price, pnl, fees, funding,
       exit_reason, (exit_ns - entry_ns) / 86400000000000 AS duration_days,
       (exit_ns - entry_ns) / 1000000000 AS duration_seconds, phase, regime
FROM trades;

CREATE VIEW daily_performance AS
SELECT date(day * 86400, 'unixepoch') AS day, mode, trades, wins, losses,
       printf('%s%d.%08d', iif(pnl < 0, '-', ''), abs(pnl) / 100000000, abs(pnl) % 100000000) AS pnl,
       printf('%s%d.%08d', iif(fees < 0, '-', ''), abs(fees) / 100000000, abs(fees) % 100000000) AS fees,
       printf('%s%d.%08d', iif(best < 0, '-', ''), abs(best) / 100000000, abs(best) % 100000000) AS best_trade,
       printf('%s%d.%08d', iif(worst < 0, '-', ''), abs(worst) / 100000000, abs(worst) % 100000000) AS worst_trade
FROM (SELECT exit_day AS day, mode, count(*) AS trades, sum(pnl_e8 > 0) AS wins,
             sum(pnl_e8 < 0) AS losses, sum(pnl_e8) AS pnl, sum(fees_e8) AS fees, max(pnl_e8) AS best,
             min(pnl_e8) AS worst
      FROM trades GROUP BY exit_day, mode);

CREATE VIEW order_fills AS
SELECT o.order_id, o.signal_id, o.run, o.mode, o.strategy_id, o.symbol, o.purpose, o.kind, o.tif, o.state,
       o.qty AS order_qty, o.price AS order_price, o.filled_qty, o.average_price, o.placed_ns, o.updated_ns,
       f.fill_id, f.filled_ns, f.qty AS fill_qty, f.price AS fill_price, f.fee, f.role, f.realized, f.expected, f.late
FROM orders AS o LEFT JOIN fills AS f ON f.order_id = o.order_id;

CREATE VIEW active_blocks AS
SELECT row, run, at_ns, reason, text, lifts, actor
FROM block_changes AS b
WHERE active = 1 AND row = (SELECT max(row) FROM block_changes WHERE reason = b.reason);

CREATE VIEW breaker_states AS
SELECT row, run, at_ns, name, tripped, value, limit_value, text, action
FROM breaker_changes AS b
WHERE row = (SELECT max(row) FROM breaker_changes WHERE name = b.name);

-- Everything that belongs to one signal, in the order it happened: WHERE signal_id = ?
CREATE VIEW signal_trace AS
SELECT signal_id, row, raised_ns AS at_ns, 'signal' AS what, signal_id AS id, '' AS parent_id, symbol,
       side AS state, '' AS qty, entry AS price, text FROM signals
UNION ALL
SELECT signal_id, row, placed_ns, 'order', order_id, signal_id, symbol, state, qty, price, purpose FROM orders
UNION ALL
SELECT signal_id, row, filled_ns, 'fill', fill_id, order_id, symbol, role, qty, price, purpose FROM fills
UNION ALL
SELECT signal_id, row, ended_ns, 'outcome', signal_id, signal_id, '', state, filled_qty, '', text FROM outcomes
UNION ALL
SELECT signal_id, row, exit_ns, 'trade', trade_id, signal_id, symbol, side, qty, exit_price, exit_reason FROM trades;
