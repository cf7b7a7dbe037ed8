// What we use of @std/fs, over Deno's own API: no npm package has it (see deno.json).

/** Makes the folder and those above it; no error if it is there. */
export function ensureDirSync(path: string | URL): void {
  Deno.mkdirSync(path, { recursive: true });
}

/** Whether the path names something; a dangling link does not count. */
export function existsSync(path: string | URL): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

export interface WalkEntry extends Deno.DirEntry {
  path: string;
}

/** Every file, folder and link at and below `root`, folders before what they hold, in name order. */
export function* walkSync(root: string): Generator<WalkEntry> {
  const info = Deno.lstatSync(root);
  const name = root.slice(root.lastIndexOf("/") + 1);
  const { isFile, isDirectory, isSymlink } = info;
  yield { path: root, name, isFile, isDirectory, isSymlink };
  if (!isDirectory) return;
  const names = Array.from(Deno.readDirSync(root), (entry) => entry.name).sort();
  for (const child of names) yield* walkSync(`${root}/${child}`);
}
