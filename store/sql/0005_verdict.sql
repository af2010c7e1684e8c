-- What a desk was judged by, and what the judgement allows.

-- The terms of a validation protocol, fixed before it started; `digest` is their hash, `body` all of them as JSON.
CREATE TABLE protocols (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    protocol_id TEXT NOT NULL UNIQUE CHECK (protocol_id <> ''),
    protocol    TEXT NOT NULL,
    digest      TEXT NOT NULL CHECK (length(digest) = 64),
    body        TEXT NOT NULL
) STRICT;

-- How each ended: its verdict with all criteria (JSON), under the key of the desk that judged it.
CREATE TABLE verdicts (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    protocol_id TEXT NOT NULL CHECK (protocol_id <> ''),
    passed      INTEGER NOT NULL CHECK (passed IN (0, 1)),
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX verdicts_by_protocol ON verdicts (protocol_id, row);

-- What the live gate was told (evidence of another desk, a bypass, a stage, a certificate) and what it decided (gate).
CREATE TABLE gate_records (
    row   INTEGER PRIMARY KEY,
    run   INTEGER NOT NULL,
    mode  TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns INTEGER NOT NULL,
    kind  TEXT NOT NULL CHECK (kind IN ('evidence', 'gate', 'bypass', 'stage', 'certificate')),
    name  TEXT NOT NULL CHECK (name <> ''),
    body  TEXT NOT NULL
) STRICT;
CREATE INDEX gate_records_by_kind ON gate_records (kind, row);

-- The artifacts of trading days as they were sealed, each once: the hash of the file's bytes (hex), and as JSON what was
-- given with the facts of the day.
CREATE TABLE artifacts (
    row    INTEGER PRIMARY KEY,
    run    INTEGER NOT NULL,
    mode   TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns  INTEGER NOT NULL,
    name   TEXT NOT NULL UNIQUE CHECK (name <> ''),
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    given  TEXT NOT NULL
) STRICT;

-- Evenly spaced marks of any span of time are found without reading those between.
CREATE INDEX equity_marks_by_time ON equity_marks (at_ns);
