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
