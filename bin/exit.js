/**
 * A reader that closes its end (`| head`) doesn't end the process: what is under way is finished, with its own status.
 * What is written to that end from then on is dropped.
 */
export function dropWhatNobodyReads() {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (error.code !== 'EPIPE') throw error;
      stream.write = (_chunk, encoding, done = encoding) => {
        if (typeof done === 'function') process.nextTick(done);
        return true;
      };
    });
  }
}

/** Ends the process with `status` after everything written has reached its reader, whatever handles are still open. */
export async function finish(status) {
  process.exitCode = status;
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(status);
}

/** Settles for a closed end too: it calls back with the error, or has nothing left to say. */
const flushed = (stream) =>
  new Promise((done) => {
    stream.once('error', done);
    if (stream.destroyed) done();
    else stream.write('', () => done());
  });
