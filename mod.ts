/**
 * dvisor as a library: runs Linux programs in sandboxes whose kernel is written in TypeScript.
 *
 * ```ts
 * import { Sandbox } from "@dvisor/dvisor";
 *
 * const sandbox = Sandbox.start({
 *   command: ["sh", "-c", "echo hello; exit 3"],
 *   stdout: "piped",
 *   binary: "dist/dvisor",
 * });
 * console.log(await new Response(sandbox.stdout).text()); // "hello\n"
 * console.log((await sandbox.status).code); // 3
 * ```
 *
 * @module
 */
export { Sandbox } from "./runtime/sandbox.ts";
export type { SandboxOptions, SandboxStatus, Stdio, Volume } from "./runtime/sandbox.ts";
export type { TerminalInput } from "./sentry/fsimpl/host/caller_input.ts";
export { SandboxError } from "./runtime/errors.ts";
