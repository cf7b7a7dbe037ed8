/** The version of dvisor; deno.json has the same. */
export const VERSION = "0.1.0";
