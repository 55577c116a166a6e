"""Backups: everything in a store and its blobs, as files in a form that no engine owns.

A backup of one engine can be restored into any other. Its folder has

- `manifest.json`, written last: a backup without it is incomplete;
- `tables/NAME.rows`, the rows of a table (`rowfile`);
- `blobs.rows`, a row (name, bytes, SHA-256) for each blob;
- `blobs/`, the blobs under their names.
"""
