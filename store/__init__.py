"""SQLite: journal, projections, snapshots, migrations, queries, export. The only place with SQL."""
