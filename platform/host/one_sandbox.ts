/**
 * What modules remember of a sandbox. A process runs one, but that of which dvisor's build takes an image
 * (platform/native/image) has run others before: then nothing of these may be left. All else hangs on the
 * Kernel and the Platform, which are new ones.
 */
const forgetters: (() => void)[] = [];

/** Says how a module comes to be as it was when it was loaded. */
export function ofOneSandbox(forget: () => void): void {
  forgetters.push(forget);
}

/** A sandbox has ended, and another may follow. */
export function forgetSandbox(): void {
  for (const forget of forgetters) forget();
}
