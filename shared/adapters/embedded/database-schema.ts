/** Raised when `schema` changes in a way that an older version cannot read. */
export const schemaVersion = 1;

/**
 * `rows` is clustered by its key: a list of one partition is one stretch of the file.
 * `messages.hidden_until` (ms since 1970) is null for what is ready, so that the two partial indexes give the next ready
 * message in sending order and the next hidden one, both without a scan, however long the backlog.
 */
export const schema = `
  CREATE TABLE IF NOT EXISTS rows (
    partition TEXT NOT NULL,
    sort TEXT NOT NULL,
    revision INTEGER NOT NULL,
    expires_at INTEGER,
    value TEXT NOT NULL,
    PRIMARY KEY (partition, sort)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS rows_expiring ON rows (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE IF NOT EXISTS chunks (
    partition TEXT NOT NULL,
    digest TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (partition, digest)
  );

  CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    hidden_until INTEGER,
    in_flight INTEGER NOT NULL DEFAULT 0,
    receives INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    body TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS messages_ready ON messages (queue, id) WHERE hidden_until IS NULL;
  CREATE INDEX IF NOT EXISTS messages_hidden ON messages (queue, hidden_until) WHERE hidden_until IS NOT NULL;

  CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    died_at INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS dead_letters_by_queue ON dead_letters (queue, id);
`;
