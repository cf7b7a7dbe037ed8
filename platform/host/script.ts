/** Modules that the build has bundled as scripts: only of a script can V8 be given bytecode. */
import { Script } from "node:vm";

/** The text, all ASCII, of a function of what `import.meta.url` was, that returns what the module exports. */
export function scriptOf(
  source: Uint8Array,
  filename: string,
  cachedData?: Uint8Array<ArrayBuffer>,
): Script {
  return new Script(new TextDecoder().decode(source), { filename, cachedData });
}

/** What the module exports. `moduleUrl`: of the module that runs it. */
export function runScript(script: Script, moduleUrl: string): unknown {
  return script.runInThisContext()(moduleUrl);
}
