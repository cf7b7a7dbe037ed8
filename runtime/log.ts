/** Debug logging of the command: one file, lines of text or JSON. Loaded only with --debug-log. */

export type LogFormat = "text" | "json";

export class Log {
  readonly #file: Deno.FsFile;
  readonly #role: string;
  readonly #format: LogFormat;

  constructor(directory: string, role: string, format: LogFormat) {
    this.#file = Deno.openSync(`${directory}/${role}.log`, { append: true, create: true });
    this.#role = role;
    this.#format = format;
  }

  debug(message: string, fields: Record<string, unknown> = {}): void {
    const time = new Date().toISOString();
    const line = this.#format === "json"
      ? JSON.stringify({ time, role: this.#role, message, ...fields })
      : `${time} ${this.#role} ${message}${fieldsText(fields)}`;
    try {
      this.#file.writeSync(new TextEncoder().encode(line + "\n"));
    } catch { /* The disk is full: that is no reason to end the sandbox. */ }
  }
}

function fieldsText(fields: Record<string, unknown>): string {
  return Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`).join("");
}
