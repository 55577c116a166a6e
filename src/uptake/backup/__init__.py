"""Backups: everything that a store and its blobs hold, in a folder, in a form of no engine's own.

A backup of one engine is restored into any other. The folder has

- `manifest.json`, written last: without it a backup is not finished;
- `tables/NAME.rows`, the rows of a table (`rowfile`);
- `blobs.rows`, a row (name, bytes, SHA-256) for each blob;
- `blobs/`, the blobs under their names.
"""
