import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'

/** Two pages of a database that never evicts. */
const PAGE = 4096

/** Ways to damage the file of a database. No page type is 0xa5, so that SQLite knows such a page for damaged. */
export const DAMAGES = {
  'whose header is overwritten': (path: string): void => overwrite(path, 0, 100),
  'whose first page is overwritten': (path: string): void => overwrite(path, 0, PAGE),
  'whose every page but the first is garbage': (path: string): void =>
    overwrite(path, PAGE, statSync(path).size - PAGE),
  'that is truncated to half': (path: string): void =>
    truncateSync(path, Math.floor(statSync(path).size / PAGE / 2) * PAGE),
  'that is truncated in the middle of a page': (path: string): void => truncateSync(path, PAGE * 3 + 1000),
  'that is a text': (path: string): void => writeFileSync(path, 'this is not a database, it is a letter\n'.repeat(500)),
} as const satisfies Readonly<Record<string, (path: string) => void>>

export type Damage = keyof typeof DAMAGES

/** Overwrites bytes of a file in place: whoever has it open sees them. */
export function overwrite(path: string, start: number, length: number): void {
  const file = openSync(path, 'r+')
  try {
    writeSync(file, Buffer.alloc(length, 0xa5), 0, length, start)
  } finally {
    closeSync(file)
  }
}

/** Whether a file is unchanged since `bytes` were read from it. */
export function isSame(path: string, bytes: Buffer): boolean {
  return readFileSync(path).equals(bytes)
}

/** Garbage over the whole database and its write-ahead log: no page of either can be read. */
export function overwriteAll(path: string): void {
  for (const file of [`${path}-wal`, path]) {
    if (existsSync(file)) overwrite(file, 0, statSync(file).size)
  }
}
