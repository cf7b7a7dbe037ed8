// The benchmark's results as a table of text and as a picture.
import type { Columns, Row } from "./rows.ts";

/** A row with its medians by target. */
export interface Result {
  row: Row;
  columns: Columns;
}

/** Whether dvisor's default platform reaches the row's goal; undefined where that cannot be said. */
export function reached({ row, columns }: Result): boolean | undefined {
  const limit = row.goal?.limit(columns);
  return limit === undefined || columns.systrap === undefined
    ? undefined
    : columns.systrap <= limit;
}

export function figure(value: number | undefined, unit: Row["unit"]): string {
  if (value === undefined) return "–";
  if (unit === "%") return `${value.toFixed(1)} %`;
  if (unit === "MiB") return `${value.toFixed(0)} MiB`;
  if (value < 1e6) return `${significant(value / 1e3)} µs`;
  if (value < 1e9) return `${significant(value / 1e6)} ms`;
  return `${significant(value / 1e9)} s`;
}

function significant(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** A table with a line of its own for every group. */
export function table(results: readonly Result[], targets: readonly string[]): string {
  const cells: string[][] = [["", ...targets, "goal", ""]];
  let group = "";
  for (const result of results) {
    const { row, columns } = result;
    if (row.group !== group) cells.push([group = row.group]);
    const verdict = { true: "reached", false: "missed", undefined: "" }[`${reached(result)}`]!;
    const figures = targets.map((name) => figure(columns[name], row.unit));
    cells.push([`  ${row.label}`, ...figures, row.goal?.text ?? "", verdict]);
  }
  const widths = cells[0].map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  const line = (words: string[]) =>
    words.map((word, i) =>
      i === 0 || i > targets.length ? word.padEnd(widths[i]) : word.padStart(widths[i])
    ).join("  ").trimEnd();
  return cells.map((words) => words.length === 1 ? `\n${words[0]}` : line(words)).join("\n");
}

// ---- The picture: a bar per target on a logarithmic scale, each group with a scale of its own

const LABELS: Record<string, string> = {
  native: "native",
  systrap: "dvisor",
  ptrace: "dvisor, ptrace",
  peer: "gVisor runsc, systrap",
};
const COLOURS: Record<string, string> = {
  native: "#9aa3ad",
  systrap: "#1f6feb",
  ptrace: "#a5c8ff",
  peer: "#e8912d",
};
const WIDTH = 900;
const LEFT = 250;
const RIGHT = 90;
const BAR = 9;
const GAP = 8;

export function svg(results: readonly Result[], targets: readonly string[], note: string): string {
  const shown = results.filter(({ row, columns }) =>
    row.unit === "ns" && targets.some((name) => columns[name] !== undefined)
  );
  const groups = [...new Set(shown.map(({ row }) => row.group))];
  const parts: string[] = [];
  let y = 34;
  for (const group of groups) {
    const rows = shown.filter(({ row }) => row.group === group);
    const part = groupPicture(group, rows, targets, y);
    parts.push(part.text);
    y = part.bottom;
  }
  const legend = targets.map((name, i) =>
    `<rect x="${LEFT + i * 150}" y="8" width="10" height="10" fill="${COLOURS[name]}"/>` +
    `<text x="${LEFT + i * 150 + 15}" y="17">${LABELS[name]}</text>`
  );
  parts.push(`<text x="10" y="${y + 12}" class="note">${escape(note)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 24}" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="#24292f">\n` +
    `<style>.note,.tick,.value{fill:#6e7781;font-size:10px}.group{font-weight:600;font-size:13px}</style>\n` +
    `<rect width="100%" height="100%" fill="#ffffff"/>\n` +
    `${[...legend, ...parts].join("\n")}\n</svg>\n`;
}

function groupPicture(
  group: string,
  rows: Result[],
  targets: readonly string[],
  top: number,
): { text: string; bottom: number } {
  const values = rows.flatMap(({ columns }) => targets.map((name) => columns[name]))
    .filter((value): value is number => value !== undefined);
  const low = Math.floor(Math.log10(Math.min(...values)) - 0.001);
  const high = Math.ceil(Math.log10(Math.max(...values)) + 0.001);
  const x = (ns: number) => LEFT + (Math.log10(ns) - low) / (high - low) * (WIDTH - LEFT - RIGHT);
  const parts = [`<text x="10" y="${top + 16}" class="group">${escape(group)}</text>`];
  let y = top + 38;
  const barsTop = y;
  for (const { row, columns } of rows) {
    const bars = targets.filter((name) => columns[name] !== undefined);
    const middle = y + bars.length * BAR / 2 + 4;
    parts.push(`<text x="${LEFT - 8}" y="${middle}" text-anchor="end">${escape(row.label)}</text>`);
    for (const name of bars) {
      const end = x(columns[name]!);
      const title = `${row.label}, ${LABELS[name]}: ${figure(columns[name], "ns")}`;
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${(end - LEFT).toFixed(1)}" height="${BAR - 1}" ` +
          `fill="${COLOURS[name]}"><title>${escape(title)}</title></rect>` +
          `<text x="${(end + 4).toFixed(1)}" y="${y + 8}" class="value">${
            figure(columns[name], "ns")
          }</text>`,
      );
      y += BAR;
    }
    y += GAP;
  }
  const ticks: string[] = [];
  for (let power = low; power <= high; power++) {
    const at = x(10 ** power).toFixed(1);
    ticks.push(
      `<line x1="${at}" y1="${barsTop - 4}" x2="${at}" y2="${y - 4}" stroke="#e3e6ea"/>` +
        `<text x="${at}" y="${barsTop - 8}" text-anchor="middle" class="tick">${
          figure(10 ** power, "ns").replace(/\.0+ /, " ")
        }</text>`,
    );
  }
  return { text: [...ticks, ...parts].join("\n"), bottom: y + 6 };
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
