"""SQLite: the desk's journal, projections, snapshots, migrations and queries. The only place with SQL."""
