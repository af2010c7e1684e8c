-- What makes the record provable and the desk recoverable.

-- Heads of the chain under the desk's key: `row` is the journal row of kind 'head' each one ends with, `hash` that row's.
-- They stand beside the chain, not in it, so that the chain does not depend on the key.
CREATE TABLE signed_heads (
    row       INTEGER PRIMARY KEY,
    hash      TEXT NOT NULL CHECK (length(hash) = 64),
    at_ns     INTEGER NOT NULL,
    run_id    TEXT NOT NULL,
    cause     TEXT NOT NULL CHECK (cause <> ''),
    key       TEXT NOT NULL CHECK (length(key) = 64),
    ed25519   TEXT NOT NULL CHECK (length(ed25519) = 128)
) STRICT;
CREATE TRIGGER signed_heads_are_never_changed BEFORE UPDATE ON signed_heads
BEGIN SELECT RAISE(ABORT, 'signed heads are never changed'); END;
CREATE TRIGGER signed_heads_are_never_deleted BEFORE DELETE ON signed_heads
BEGIN SELECT RAISE(ABORT, 'signed heads are never deleted'); END;

-- Rows leave the journal only from its beginning, and only once a row of kind 'anchor' names the last of them (`ref`), the
-- hash the chain goes on from, and the archive they are in.
DROP TRIGGER journal_is_never_deleted;
CREATE TRIGGER journal_is_never_deleted BEFORE DELETE ON journal
WHEN OLD.id > (SELECT coalesce(max(CAST(ref AS INTEGER)), 0) FROM journal WHERE kind = 'anchor')
BEGIN SELECT RAISE(ABORT, 'journal rows are never deleted before they are archived'); END;

-- Errors are counted by what makes them the same.
CREATE INDEX errors_by_fingerprint ON errors (fingerprint, row, at_ns);

-- The desk's books compared with the broker's own, whenever that was asked for or came out otherwise than before.
CREATE TABLE reconciliations (
    row         INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns       INTEGER NOT NULL,
    cause       TEXT NOT NULL CHECK (cause <> ''),
    source      TEXT NOT NULL,
    clean       INTEGER NOT NULL CHECK (clean IN (0, 1)),
    differences INTEGER NOT NULL,
    positions   INTEGER NOT NULL,
    orders      INTEGER NOT NULL,
    cash        TEXT NOT NULL
) STRICT;
CREATE INDEX reconciliations_by_run ON reconciliations (run, row);

-- What both books have differently: a row when it is believed, and one when it is gone (then `resolution` says how).
CREATE TABLE discrepancy_changes (
    row            INTEGER PRIMARY KEY,
    run            INTEGER NOT NULL,
    mode           TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns          INTEGER NOT NULL,
    discrepancy_id TEXT NOT NULL CHECK (discrepancy_id <> ''),
    kind           TEXT NOT NULL,
    subject        TEXT NOT NULL,
    ours           TEXT NOT NULL,
    theirs         TEXT NOT NULL,
    first_seen_ns  INTEGER NOT NULL,
    resolution     TEXT NOT NULL,
    actor          TEXT NOT NULL,
    text           TEXT NOT NULL
) STRICT;
CREATE INDEX discrepancy_changes_by_run ON discrepancy_changes (run, row);
CREATE INDEX discrepancy_changes_by_id ON discrepancy_changes (discrepancy_id, row);

-- Each discrepancy as it stands; `resolved_ns` is empty while it does.
CREATE VIEW discrepancies AS
SELECT discrepancy_id, mode, kind, subject, ours, theirs, first_seen_ns, max(row) AS row,
       iif(resolution <> '', at_ns, NULL) AS resolved_ns, resolution, actor, text
FROM discrepancy_changes GROUP BY discrepancy_id;

-- What failed for good although it was tried again, and what became of it: one row a change. Never an order.
CREATE TABLE dead_letter_changes (
    row        INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL,
    mode       TEXT NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    at_ns      INTEGER NOT NULL,
    letter_id  TEXT NOT NULL CHECK (letter_id <> ''),
    operation  TEXT NOT NULL CHECK (operation <> ''),
    payload    TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('WAITING', 'DONE', 'DISCARDED')),
    class      TEXT NOT NULL,
    text       TEXT NOT NULL,
    attempts   INTEGER NOT NULL CHECK (attempts >= 0),
    first_ns   INTEGER NOT NULL,
    actor      TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letter_changes_by_letter ON dead_letter_changes (letter_id, row);

-- Each letter as it stands; `attempts` and `first_ns` count from when it last began to wait.
CREATE VIEW dead_letters AS
SELECT letter_id, operation, payload, state, class, text, attempts, first_ns, at_ns AS last_ns, actor, max(row) AS row
FROM dead_letter_changes GROUP BY letter_id;
