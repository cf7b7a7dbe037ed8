/**
 * Loads libplatform.so, the one piece of native code. It is embedded in the compiled file.
 *
 * In a sandbox it lies in the minimal root. In the command it is copied into a memfd: Deno would
 * unpack it into the host's temporary directory and leave it there.
 */

/** Where platform/native/host/spawn.c puts it. */
const SANDBOX_LIBRARY = "/lib64/libplatform.so";

let memfd = -1;

/** The library of this process as a path, for the sandbox to copy it. */
export function libraryFile(): string {
  const path = libraryPath();
  return typeof path === "string" ? path : decodeURIComponent(path.pathname);
}

/** Opens the library with these symbols. Any number of times, with any subsets; it is one instance. */
export function openLibrary<const S extends Deno.ForeignLibraryInterface>(
  symbols: S,
): Deno.DynamicLibrary<S>["symbols"] {
  return Deno.dlopen(libraryPath(), symbols).symbols;
}

type Callable = (...args: unknown[]) => unknown;

/** A structure of one byte, passed by value: the callee has no parameter for it. */
const NOTHING = { type: { struct: ["u8"] }, value: new Uint8Array(1) } as const;

/**
 * The same for functions that are not called often. A call takes 0.3 µs, but opening one a tenth of the 0.3 ms for which
 * Deno compiles a trampoline otherwise: it does so for each function that has no structure among its parameters
 * (ext/ffi/turbocall.rs), so these are declared with one more, the last, which their code does not look at.
 */
export function openRarelyCalled<const S extends Deno.ForeignLibraryInterface>(
  symbols: S,
): Deno.DynamicLibrary<S>["symbols"] {
  const declared: Record<string, Deno.ForeignFunction> = {};
  for (const [name, symbol] of Object.entries(symbols)) {
    const f = symbol as Deno.ForeignFunction;
    declared[name] = f.nonblocking ? f : { ...f, parameters: [...f.parameters, NOTHING.type] };
  }
  const opened = openLibrary(declared) as Record<string, Callable>;
  for (const [name, call] of Object.entries(opened)) {
    const { nonblocking, parameters } = declared[name];
    if (!nonblocking) opened[name] = withNothing(call, parameters.length - 1);
  }
  return opened as Deno.DynamicLibrary<S>["symbols"];
}

/** A function of `n` arguments: where V8 has not optimized, one of any number costs more than the call. */
function withNothing(call: Callable, n: number): Callable {
  const { value } = NOTHING;
  switch (n) {
    case 0:
      return () => call(value);
    case 1:
      return (a) => call(a, value);
    case 2:
      return (a, b) => call(a, b, value);
    case 3:
      return (a, b, c) => call(a, b, c, value);
    case 4:
      return (a, b, c, d) => call(a, b, c, d, value);
    default:
      return (...args) => call(...args, value);
  }
}

function libraryPath(): string | URL {
  if (inSandbox()) return SANDBOX_LIBRARY;
  const embedded = new URL("../../dist/libplatform.so", import.meta.url);
  if (!Deno.build.standalone) return embedded;
  if (memfd < 0) memfd = copyToMemfd(embedded);
  return `/proc/self/fd/${memfd}`;
}

/** The boot role and its Workers, which it names. No permission is needed to ask. */
function inSandbox(): boolean {
  const name = (globalThis as { name?: string }).name;
  return name === "sentry" || name === "gofer" || Deno.args[0] === "boot";
}

function copyToMemfd(file: URL): number {
  const bytes = Deno.readFileSync(file);
  const libc = Deno.dlopen("libc.so.6", {
    memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  }).symbols;
  const fd = libc.memfd_create(new TextEncoder().encode("libplatform.so\0"), 1 /* MFD_CLOEXEC */);
  if (fd < 0) throw new Error("memfd_create failed");
  if (Number(libc.write(fd, bytes, BigInt(bytes.length))) !== bytes.length) {
    throw new Error("cannot write a memfd: out of memory?");
  }
  return fd;
}
