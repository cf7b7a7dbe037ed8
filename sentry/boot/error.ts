/** The sandbox cannot start: the command says why in one line and exits with `code`. */
export class BootError extends Error {
  constructor(message: string, readonly code = 125) {
    super(message);
  }
}
