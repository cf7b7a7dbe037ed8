export { defaultTmpfsOptions, Tmpfs, tmpfsType } from "./filesystem.ts";
export { newMemfdFile } from "./memfd.ts";
