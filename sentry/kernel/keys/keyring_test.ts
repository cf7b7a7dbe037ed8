import { assertEquals } from "@std/assert";
import { EAGAIN, EDEADLK, EDQUOT, ELOOP } from "../../../platform/abi/errno.ts";
import { initialCredentials } from "../../auth/credentials.ts";
import { Key, KEYRING, Keys, type KeyType, PERMISSIONS, USER } from "./key.ts";
import { addSearchable, linkKey, searchKeyring } from "./keyring.ts";

const ROOT = { uid: 0, gid: 0 };
const creds = initialCredentials(0, 0, []);

function make(keys: Keys, type: KeyType, name: string, owner = ROOT): Key {
  const key = keys.create(type, name, owner, PERMISSIONS);
  if (typeof key === "number") throw new Error(`${name}: ${key}`);
  return key;
}

function find(keyring: Key, description: string): Key | number {
  const query = { type: USER, description, exact: null, skipsExpired: false, nowSec: 0 };
  const found = searchKeyring(keyring, { ...query, creds, isPossessed: true });
  return typeof found === "number" ? found : found.key;
}

Deno.test("a long chain of keyrings is released as a whole, and costs nothing after that", () => {
  const keys = new Keys();
  const top = make(keys, KEYRING, "top");
  let below = top;
  for (let i = 0; i < 15_000; i++) {
    const next = make(keys, KEYRING, `${i}`);
    assertEquals(linkKey(keys, below, next), 0);
    below = next;
  }
  assertEquals(linkKey(keys, below, top), -ELOOP);
  top.refs++;
  keys.release(top);
  assertEquals(keys.bySerial.size, 0);
  assertEquals(keys.quotas.size, 0);
});

Deno.test("a search ends where many keyrings lead to the same ones", () => {
  const keys = new Keys();
  const rows = Array.from(
    { length: 6 },
    (_, depth) => Array.from({ length: 30 }, (_, i) => make(keys, KEYRING, `${depth}.${i}`)),
  );
  for (let depth = 0; depth + 1 < rows.length; depth++) {
    for (const upper of rows[depth]) {
      for (const lower of rows[depth + 1]) assertEquals(linkKey(keys, upper, lower), 0);
    }
  }
  const top = rows[0][0];
  assertEquals(find(top, "none"), -EAGAIN);
  const key = make(keys, USER, "name");
  linkKey(keys, rows[5][29], key);
  assertEquals(find(top, "name"), key);
  const found = new Set<Key>();
  addSearchable(top, creds, found);
  assertEquals(found.size, 1 + 5 * 30 + 1);
  assertEquals(linkKey(keys, rows[5][0], top), -EDEADLK);
});

Deno.test("users together have no more keys than the sandbox holds", () => {
  const keys = new Keys();
  let uid = 1;
  let made = 0;
  for (;; uid++) {
    const owner = { uid, gid: uid };
    let key: Key | number = 0;
    for (let i = 0; i < keys.limits.maxKeys; i++) {
      key = keys.create(USER, `${i}`, owner, PERMISSIONS);
      if (typeof key === "number") break;
      made++;
    }
    if (typeof key === "number") {
      assertEquals(key, -EDQUOT);
      break;
    }
  }
  assertEquals(made, keys.bySerial.size);
  assertEquals(keys.create(USER, "x", ROOT, PERMISSIONS), -EDQUOT);
});
