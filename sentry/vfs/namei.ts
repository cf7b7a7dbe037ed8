/**
 * Everything that takes a path (Linux: fs/namei.c). This face gathers:
 * walk.ts (path walk), open.ts (open family), modify.ts (mkdir, unlink, rename, link …),
 * metadata.ts (chmod, chown, times, truncate), xattr.ts, permission.ts (who may).
 */
export * from "./walk.ts";
export * from "./open.ts";
export * from "./modify.ts";
export * from "./metadata.ts";
export * from "./permission.ts";
export * from "./xattr.ts";
