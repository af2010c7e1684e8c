"""The rule by which the mutation check passes over SQL in other letters: as SQLite sees it, and no wider."""

import sqlite3

import pytest

from tests.sql_case import is_same_sql


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("SELECT id FROM t WHERE kind = 'a' LIMIT ?", "select ID from T where KIND = 'a' limit ?"),
        ("SELECT max(iif(j.id > ?, j.id, NULL)) FROM t AS j", "SELECT MAX(IIF(J.ID > ?, J.ID, NULL)) FROM T AS J"),
        ("INSERT INTO t VALUES (?, 'a')", "insert into t values (?, 'a')"),
        ("DELETE FROM t WHERE id <= ?", "DELETE FROM T WHERE ID <= ?"),
        (
            "WITH b (x) AS (SELECT 2) SELECT x FROM b WHERE x < ?",
            "WITH B (X) AS (SELECT 2) SELECT X FROM B WHERE X < ?",
        ),
    ],
)
def test_sql_in_other_letters_is_the_same_and_does_the_same(was: str, now: str) -> None:
    assert was != now and is_same_sql(was, now)
    done = []
    for sql in (was, now):
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, kind TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(1, "a"), (2, "A"), (3, "a")])
        found = connection.execute(sql, (4,)).fetchall()
        done.append((found, connection.execute("SELECT * FROM t").fetchall()))
        connection.close()
    assert done[0] == done[1]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("SELECT id FROM t WHERE kind = 'a'", "SELECT ID FROM T WHERE KIND = 'A'"),
        ('SELECT "a" FROM t', 'select "A" from t'),
        ("SELECT :seq", "SELECT :SEQ"),
        ("SELECT id FROM t", "XXSELECT id FROM tXX"),
        ("SELECT id FROM t WHERE id < ?", "SELECT id FROM t WHERE id <= ?"),
        ("WHERE kind = 'a", "WHERE KIND = 'a"),
        ("select a dish", "SELECT A DISH"),
        ("selected", "SELECTED"),
        ("the rows are archived", "THE ROWS ARE ARCHIVED"),
        ("block", "BLOCK"),
    ],
)
def test_a_literal_a_parameter_another_word_or_plain_text_is_not_passed_over(was: str, now: str) -> None:
    assert not is_same_sql(was, now)
