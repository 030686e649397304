"""Backups: everything Event Center keeps, copied while it runs, and brought back with its counts verified.

A backup is a folder:

    backup.json            what is in it: versions, bytes and SHA-256 of each file, counts of each archive
    journal/<writer>/…     what was acknowledged and perhaps not archived when the backup began
    store.db               users, rules, deliveries (PostgreSQL is backed up by its own tools)
    tenants/<id>/…         the archives

The order in which the parts are copied is what makes them fit: first the journal, so that nothing that was
acknowledged before is missing; then the store, whose cursors so are never ahead of the archives; then those.
The secret key lies beside the data folder, not in it, and is not in a backup: keep it elsewhere.
"""

from eventcenter.backup.make import Backup, Backups
from eventcenter.backup.restore import Restored, restore

__all__ = ["Backup", "Backups", "Restored", "restore"]
