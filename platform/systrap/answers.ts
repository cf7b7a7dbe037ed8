/**
 * What paths are, in memory that every stub can read: guest threads answer stat(2) and its kin from it by
 * themselves (slot.h: struct answer; stub.c: find_answer). Only the Sentry writes it.
 */
import type { PathAnswers } from "../platform.ts";
import {
  ANSWER_BUCKETS,
  ANSWER_BYTES,
  ANSWER_COUNT,
  ANSWER_HASH_START,
  ANSWER_HASH_STEP,
  ANSWER_OFF_ERROR,
  ANSWER_OFF_FOLLOW,
  ANSWER_OFF_GENERATION,
  ANSWER_OFF_HASH,
  ANSWER_OFF_LENGTH,
  ANSWER_OFF_PATH,
  ANSWER_OFF_PLACE,
  ANSWER_OFF_SERIAL,
  ANSWER_OFF_STAT,
  ANSWER_PATH_MAX,
  ANSWER_WAYS,
  ANSWERS_FIRST,
  ANSWERS_GENERATION,
  ANSWERS_INDEX,
} from "./slot.ts";

const FIRST_WORD = ANSWERS_FIRST / 4;
const ANSWER_WORDS = ANSWER_BYTES / 4;

export class AnswerTable implements PathAnswers {
  readonly words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #index: Uint16Array;
  #next = 0;
  #serial = 0;
  #generation = 1;

  /** `memory` begins where ANSWERS_BASE is in a stub. */
  constructor(memory: ArrayBuffer, offset: number, size: number) {
    this.words = new Int32Array(memory, offset, size / 4);
    this.#bytes = new Uint8Array(memory, offset, size);
    this.#index = new Uint16Array(memory, offset + ANSWERS_INDEX, ANSWER_BUCKETS * ANSWER_WAYS);
    if (this.words[ANSWERS_GENERATION / 4] !== 0) this.words.fill(0); // Another sandbox has been before.
    this.words[ANSWERS_GENERATION / 4] = this.#generation;
  }

  begin(path: string, place: number, follow: number): number {
    const n = path.length;
    if (n === 0 || n > ANSWER_PATH_MAX) return -1;
    const number = this.#next;
    this.#next = number + 1 === ANSWER_COUNT ? 0 : number + 1;
    const { words } = this;
    const at = FIRST_WORD + number * ANSWER_WORDS;
    Atomics.store(words, at + ANSWER_OFF_SERIAL / 4, 0);
    const bytes = this.#bytes;
    const to = 4 * at + ANSWER_OFF_PATH;
    let hash = Math.imul(ANSWER_HASH_START ^ place, ANSWER_HASH_STEP);
    for (let i = 0; i < n; i++) {
      const byte = path.charCodeAt(i);
      bytes[to + i] = byte;
      hash = Math.imul(hash ^ byte, ANSWER_HASH_STEP);
    }
    words[at + ANSWER_OFF_HASH / 4] = hash ^ hash >>> 15;
    words[at + ANSWER_OFF_GENERATION / 4] = this.#generation;
    words[at + ANSWER_OFF_PLACE / 4] = place;
    words[at + ANSWER_OFF_FOLLOW / 4] = follow;
    words[at + ANSWER_OFF_LENGTH / 4] = n;
    return number;
  }

  statAt(number: number): number {
    return FIRST_WORD + number * ANSWER_WORDS + ANSWER_OFF_STAT / 4;
  }

  publish(number: number, error: number): void {
    const { words } = this;
    const at = FIRST_WORD + number * ANSWER_WORDS;
    words[at + ANSWER_OFF_ERROR / 4] = error;
    this.#serial = this.#serial + 1 | 0;
    if (this.#serial === 0) this.#serial = 1;
    Atomics.store(words, at + ANSWER_OFF_SERIAL / 4, this.#serial);
    this.#enter(number, at);
  }

  /** Puts it into its bucket: in the place of an older answer to the same, of a void one, or of any. */
  #enter(number: number, at: number): void {
    const { words } = this;
    const index = this.#index;
    const hash = words[at + ANSWER_OFF_HASH / 4];
    const bucket = (hash >>> 0) % ANSWER_BUCKETS * ANSWER_WAYS;
    let way = bucket + number % ANSWER_WAYS;
    for (let i = bucket; i < bucket + ANSWER_WAYS; i++) {
      const other = index[i] - 1;
      const otherAt = FIRST_WORD + other * ANSWER_WORDS;
      if (other < 0 || other === number || words[otherAt + ANSWER_OFF_SERIAL / 4] === 0) way = i;
      else if (
        words[otherAt + ANSWER_OFF_HASH / 4] === hash &&
        words[otherAt + ANSWER_OFF_FOLLOW / 4] === words[at + ANSWER_OFF_FOLLOW / 4]
      ) {
        this.drop(other); // The same path, most likely.
        way = i;
        break;
      }
    }
    index[way] = number + 1;
  }

  serialOf(number: number): number {
    const at = FIRST_WORD + number * ANSWER_WORDS;
    const { words } = this;
    return words[at + ANSWER_OFF_GENERATION / 4] === this.#generation
      ? words[at + ANSWER_OFF_SERIAL / 4]
      : 0;
  }

  drop(number: number): void {
    const at = FIRST_WORD + number * ANSWER_WORDS;
    Atomics.store(this.words, at + ANSWER_OFF_SERIAL / 4, 0);
  }

  dropAll(): void {
    this.#generation = this.#generation + 1 | 0;
    Atomics.store(this.words, ANSWERS_GENERATION / 4, this.#generation);
  }
}
