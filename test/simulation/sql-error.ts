import { DatabaseError } from 'pg';

/** As pg throws it. */
export class SqlError extends DatabaseError {
  constructor(code: string, message: string) {
    super(`${code} ${message}`, message.length, 'error');
    this.code = code;
    this.severity = 'ERROR';
  }
}
