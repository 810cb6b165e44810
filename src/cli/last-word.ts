const BYTES_MAX = 4_096;

/** Reads a stream to its end and answers its last word: of one that broke, whatever came before. */
export async function lastWordOf(stream: NodeJS.ReadableStream): Promise<string | undefined> {
  let text = '';
  try {
    for await (const chunk of stream) text = (text + String(chunk)).slice(-BYTES_MAX);
  } catch {
    // A writer that was killed leaves a broken stream; it has said what it has said.
  }
  return text.trim().split(/\s+/).at(-1);
}
