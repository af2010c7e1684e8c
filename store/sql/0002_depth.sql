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
