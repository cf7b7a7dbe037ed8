export { defaultTmpfsOptions, ramfsType, Tmpfs, tmpfsType } from "./filesystem.ts";
export { newMemfdFile } from "./memfd.ts";
