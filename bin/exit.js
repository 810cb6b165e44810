/** A reader that closes its end (`| head`) ends the process quietly, as other tools do. */
export function exitQuietlyOnClosedPipe() {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}

/** Ends the process with `status` after everything written has reached its reader, whatever handles are still open. */
export async function finish(status) {
  process.exitCode = status;
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))),
  );
  process.exit(status);
}
