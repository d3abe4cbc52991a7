import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Compiles a statement once and hands out the same one ever after. Texts are few and fixed; values are parameters. */
export type Prepare = (text: string) => StatementSync;

export function createPrepare(connection: DatabaseSync): Prepare {
  const statements = new Map<string, StatementSync>();
  return function prepare(text) {
    let statement = statements.get(text);
    if (statement === undefined) {
      statement = connection.prepare(text);
      statements.set(text, statement);
    }
    return statement;
  };
}
